/** DSSE payload types of what puts policy in force: the manifest of a bundle, and the list of those who may sign one. */
export const bundleType = 'application/vnd.cordon.bundle+json';
export const trustType = 'application/vnd.cordon.trust+json';

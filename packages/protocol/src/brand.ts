/** A nominal type: structurally `T`, but only the module that checks the rule can make one. */
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };
declare const brand: unique symbol;

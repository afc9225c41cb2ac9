// Property tests draw the same cases in every run of `./check`, so that what fails there fails again; another draw is
// one variable away, and long draws belong to `fuzz/`.
import fc from 'fast-check';

fc.configureGlobal({ seed: Number(process.env['PROPERTY_SEED'] ?? 20_261_121) });

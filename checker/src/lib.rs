//! Is what happened allowed: models, judges, witnesses and counterexamples.

//! What may break, when, and how it is mended: faults, grudges, schedules, the nemesis process.

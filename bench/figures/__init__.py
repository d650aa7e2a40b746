"""All figures, by subject, in the order of the table."""
from bench.figures import (delivery, field, intake, memory, objects, store, x2x3,  # noqa: F401  (each declares)
                           timing)

"""A worker: apart from `worker`, so that what it sends is named alike in both processes."""

from townlet.population.worker import main
from townlet.screen.device import keep_memory

keep_memory()
main()

"""A worker: apart from `worker`, so that what it sends is named alike in both processes."""

from townlet.population.worker import main

main()

"""Networks, losses and the learner."""

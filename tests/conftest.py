"""One thread for each test process: tests are small, and run on all cores at once."""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # for the processes that tests start; set before PyTorch is imported

import torch

torch.set_num_threads(1)

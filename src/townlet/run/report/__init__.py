"""A run, or several beside each other, as one page of HTML that opens from the disk.

May import: config, page.html, run.meta, run.metrics, run.run_directory, run.side_effects.
"""

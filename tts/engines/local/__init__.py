"""What engines have in common whose model is in this process: loading, and a thread that the model runs in."""

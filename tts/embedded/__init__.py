"""What the embedded policy and GenPRM share: tokenizer, simulated student, trainer and sampler."""

"""Has verifications of labelled solutions written, as conversations to train a verifier on: `tts synthesize`."""

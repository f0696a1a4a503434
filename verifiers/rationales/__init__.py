"""Writers of rationales, in the formats of the generative verifiers: `tts synthesize`."""

"""What commands have in common: options, their help texts, words, threads, the view of a run."""

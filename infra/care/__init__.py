"""What the rules of aftercare would do, would have done, and have done: by the engine's own evaluator."""

"""Pure pixel and score arithmetic: a picture into a tensor, a tensor into a prediction."""

"""Made and mutilated messages, thrown at what reads strangers' words."""

"""Ways to run the interpreter, one file each: who performs steps, and what is remembered of them."""

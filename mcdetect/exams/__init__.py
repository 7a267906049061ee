"""More than one image: the views of an examination, and two dates."""

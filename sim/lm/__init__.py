"""Language models that train on each other's text: the paper's §6 as software."""

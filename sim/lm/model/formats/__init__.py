"""File formats of pretrained models: Hugging Face and llama2.c."""

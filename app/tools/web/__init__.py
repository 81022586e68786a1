"""What reads the web for a model: which addresses may be asked, pages and their text, searches."""

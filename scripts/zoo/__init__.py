"""Files as phones, recorders, browsers, editors and broadcasters make them, and what VidP must answer to each."""

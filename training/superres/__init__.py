"""Train networks that enlarge photographs."""

"""The values that keys hold, one file a type, and their packed or ordered forms. They know no key and no client."""

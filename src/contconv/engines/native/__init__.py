"""C++ on the CPU, by the library of the distribution contconv-native."""

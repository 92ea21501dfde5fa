// How both sides find what only one of them can make: a number in a file of their folder.

#pragma once

#include "side.hpp"

namespace side {

// Where something can fail for a moment, until the other side is ready.
template <class f> int until(f open, const char *what)
{
	for (int i = 0; i < 5000; i++) {
		int n = open();
		if (n >= 0)
			return n;
		usleep(1000);
	}
	failed(what);
}

inline std::string file(const room &r, const char *name) { return r.a.dir + "/" + name; }

// Another name first, so that the other side finds it whole.
inline void tell(const room &r, const char *name, int n)
{
	std::string at = file(r, name), before = at + ".new";
	FILE *f = fopen(before.c_str(), "w");
	if (!f || fprintf(f, "%d", n) < 0 || fclose(f) || rename(before.c_str(), at.c_str()))
		failed(name);
}

inline int told(const room &r, const char *name)
{
	return until([&] {
		FILE *f = fopen(file(r, name).c_str(), "r");
		int n = -1;
		if (!f)
			return n;
		if (fscanf(f, "%d", &n) != 1)
			n = -1;
		fclose(f);
		return n;
	}, name);
}

} // namespace side

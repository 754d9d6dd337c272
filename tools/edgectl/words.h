/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * words: which words of a list may be meant by one that is not in it.
 */
#ifndef EDGECTL_WORDS_H
#define EDGECTL_WORDS_H

#include <stddef.h>

#define WORDS_NEAR	6	/* at most so many are offered */
#define WORDS_TEXT	256	/* bytes for what a refusal says of them, with NUL */

/*
 * Those of @names, which ends with NULL, that the first @length bytes of @word may mean: what
 * people call it elsewhere; or those that begin with it, or have it inside; or the nearest by
 * letters that are missing, added, changed or swapped. How many.
 */
size_t words_near(const char *const names[], const char *word, size_t length,
		  const char *near[WORDS_NEAR]);

/*
 * The end of a refusal of @word: ": did you mean ...?", the whole list where it is short; else, and
 * where nothing is near, @see, a command that lists them; NULL: there is none.
 */
const char *words_instead(const char *const names[], const char *word, size_t length,
			  const char *see, char text[WORDS_TEXT]);

#endif

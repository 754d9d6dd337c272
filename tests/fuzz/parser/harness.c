// SPDX-License-Identifier: GPL-2.0-only
/*
 * What edgectl makes of any bytes, as a policy file, as a command line and as a list to import:
 *
 * - it ends, and what the sanitisers forbid does not happen;
 * - the kernel refuses nothing of what edgectl takes;
 * - a refusal is lines without control characters, each with the number of a line;
 * - what was loaded and saved loads again, and saves as the same text;
 * - what was loaded differs in nothing, and the commands that diff tells lead from half
 *   of a file to the other half;
 * - with --quiet a file says what it says without, and saying it twice is no more;
 * - the words of a command line mean the same in a file;
 * - what was imported is there, and importing it again is no more.
 *
 * Bytes that begin with NUL are a command line, its words separated by NUL; those that begin
 * with a byte 1 are a list; all others are a policy file.
 */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

#include "edgectl.h"
#include "kernel.h"

struct text {
	char *bytes;
	size_t length;
};

struct outcome {
	int code;
	struct text out;
	struct text err;
};

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The sanitisers' and libFuzzer's own. */
static FILE *real_stdin, *real_stdout, *real_stderr;

#define PROPERTY(holds, ...) do {				\
	if (!(holds)) {						\
		fprintf(stderr, "\nbroken: " __VA_ARGS__);	\
		fputc('\n', stderr);				\
		abort();					\
	}							\
} while (0)

static void outcome_free(struct outcome *outcome)
{
	free(outcome->out.bytes);
	free(outcome->err.bytes);
}

typedef int (*command_fn)(const struct options *options, struct op *op);

/* Runs a command on what standard input holds. */
static struct outcome run_op(command_fn command, struct op op, bool quiet, struct text in)
{
	const struct options options = { .quiet = quiet };
	struct outcome outcome = { 0 };

	stdin = sure(in.length ? fmemopen(in.bytes, in.length, "r") : fopen("/dev/null", "r"));
	stdout = sure(open_memstream(&outcome.out.bytes, &outcome.out.length));
	stderr = sure(open_memstream(&outcome.err.bytes, &outcome.err.length));
	outcome.code = command(&options, &op);
	fclose(stdin);
	fclose(stdout);
	fclose(stderr);
	stdin = real_stdin;
	stdout = real_stdout;
	stderr = real_stderr;
	return outcome;
}

static struct outcome run(command_fn command, const char *word, bool quiet, struct text in)
{
	return run_op(command, (struct op){ .text = word }, quiet, in);
}

/*
 * One line, which a terminal shows as it is. The C library knows UTF-8 on its own, and not what turns
 * text around.
 */
static void check_line(const struct text *err)
{
	const char *at = err->bytes, *end = at + err->length - 1;
	mbstate_t state = { 0 };
	wchar_t wide;

	PROPERTY(err->length > 1 && *end == '\n', "no error line: %s", at);
	while (at < end) {
		size_t size = mbrtowc(&wide, at, end - at, &state);

		PROPERTY(size && size <= (size_t)(end - at) && !iswcntrl(wide) &&
			 !(wide >= 0x200b && wide <= 0x200f) && !(wide >= 0x2028 && wide <= 0x202e) &&
			 !(wide >= 0x2060 && wide <= 0x206f) && wide != 0xfeff,
			 "an error line with byte %#x", (unsigned char)*at);
		at += size;
	}
	PROPERTY(!strncmp(err->bytes, "edgectl: ", 9), "error: %s", err->bytes);
}

/* The next line of a text, which is shortened; NULL at its end. */
static char *next_line(struct text *text)
{
	char *line = text->bytes, *end = memchr(line, '\n', text->length);

	if (!end)
		return NULL;
	text->length -= end + 1 - line;
	text->bytes = end + 1;
	return line;
}

static void check_refusal(const struct outcome *outcome)
{
	struct text left = outcome->err;
	unsigned int line, before = 0, more;
	char *at;
	int end;

	PROPERTY(outcome->code == EXIT_REFUSED, "exit code %d", outcome->code);
	PROPERTY(!outcome->out.length, "a refusal on standard output: %s", outcome->out.bytes);
	PROPERTY(left.length, "a refusal without a word");
	while ((at = next_line(&left))) {
		const struct text one = { at, left.bytes - at };

		check_line(&one);
		end = 0;
		sscanf(at, "edgectl: -: and %u more\n%n", &more, &end);
		if (end && !left.length)
			break;
		PROPERTY(sscanf(at, "edgectl: -:%u: ", &line) == 1 && line > before,
			 "no place: %s", at);
		before = line;
	}
	PROPERTY(!left.length, "a line without its end: %s", left.bytes);
}

/* Whether it was loaded. */
static bool load(struct text file, bool quiet)
{
	struct outcome loaded;

	kernel_reset();
	loaded = run(cmd_load, "-", quiet, file);
	PROPERTY(!*kernel_refusal(), "the kernel refuses it: %s", loaded.err.bytes);
	if (loaded.code) {
		check_refusal(&loaded);
	} else {
		PROPERTY(!loaded.out.length, "load says: %s", loaded.out.bytes);
		PROPERTY(!quiet || !loaded.err.length, "load --quiet warns: %s", loaded.err.bytes);
	}
	outcome_free(&loaded);
	return !loaded.code;
}

static struct text save(void)
{
	struct outcome saved = run(cmd_save, NULL, false, (struct text){ 0 });

	PROPERTY(!saved.code && saved.out.length && !saved.err.length, "save: %s", saved.err.bytes);
	free(saved.err.bytes);
	return saved.out;
}

/* The policy in force is what @want says, which is freed. */
static void expect_saved(const char *when, struct text *want)
{
	struct text got = save();

	PROPERTY(got.length == want->length && !memcmp(got.bytes, want->bytes, got.length),
		 "%s, it saves\n%s\nnot\n%s", when, got.bytes, want->bytes);
	free(got.bytes);
}

/* Does what a line says, as if it stood behind "edgectl". */
static void do_line(char *line, size_t length)
{
	const struct command *command;
	struct words words = { 0 };
	struct outcome outcome;
	struct op op = { 0 };

	PROPERTY(line_split(&op, line, length, &words), "diff's line: %s", op.error);
	command = command_parse(&op, words.count, words.word);
	PROPERTY(command, "diff's command: %s", op.error);
	outcome = run_op(command->run, op, false, (struct text){ 0 });
	PROPERTY(!outcome.code, "diff's command is refused: %s", kernel_refusal());
	outcome_free(&outcome);
	op_free(&op);
	free(words.word);
}

/* From what is in force to what the file says, as diff has it. */
static void step_by_step(struct text file)
{
	struct outcome told = run(cmd_diff, "-", true, file);
	struct text left = told.out, want, got;
	char *line;

	if (told.code == 2) {
		outcome_free(&told);
		return;
	}
	PROPERTY(told.code == !!left.length, "diff's exit code: %d", told.code);
	while ((line = next_line(&left))) {
		left.bytes[-1] = '\0';
		do_line(line, left.bytes - 1 - line);
	}
	got = save();
	PROPERTY(load(file, true), "diff takes what load refuses");
	want = save();
	PROPERTY(got.length == want.length && !memcmp(got.bytes, want.bytes, got.length),
		 "diff leads to\n%s\nnot\n%s\nby\n", got.bytes, want.bytes);
	free(got.bytes);
	free(want.bytes);
	outcome_free(&told);
}

static void try_halves(struct text file)
{
	const char *cut = memchr(file.bytes + file.length / 2, '\n', file.length - file.length / 2);
	struct text first = file, second = file;

	if (!cut)
		return;
	first.length = cut + 1 - file.bytes;
	second.bytes += first.length;
	second.length -= first.length;
	if (load(first, true))
		step_by_step(second);
	if (load(second, true))
		step_by_step(first);
}

static struct text twice(struct text file)
{
	struct text both = { .length = file.length * 2 + 1 };

	both.bytes = malloc(both.length);
	if (!both.bytes)
		abort();
	memcpy(both.bytes, file.bytes, file.length);
	both.bytes[file.length] = '\n';
	memcpy(both.bytes + file.length + 1, file.bytes, file.length);
	return both;
}

static void expect_no_difference(struct text file)
{
	struct outcome told = run(cmd_diff, "-", true, file);

	PROPERTY(!told.code && !told.out.length && !told.err.length,
		 "what was loaded differs: %s%s", told.out.bytes, told.err.bytes);
	outcome_free(&told);
}

static void try_file(struct text file)
{
	bool strict = load(file, false);
	struct text saved = { 0 }, both;

	if (strict)
		saved = save();
	if (!load(file, true)) {
		PROPERTY(!strict, "refused with --quiet only");
		return;
	}
	expect_no_difference(file);
	if (strict)
		expect_saved("loaded with --quiet", &saved);
	else
		saved = save();

	both = twice(file);
	PROPERTY(load(both, true), "refused when it says the same twice");
	expect_saved("saying the same twice", &saved);
	free(both.bytes);

	PROPERTY(load(saved, false), "refused as it was saved:\n%s", saved.bytes);
	expect_saved("loaded as it was saved", &saved);
	free(saved.bytes);
}

/* ---- lists to import ---- */

/* What a table has that is not read is told, and harms nothing: takes that line away. */
static void skip_unread(struct text *err)
{
	static const char start[] = "edgectl: warning: -: columns that are not read: ";
	struct text left = *err;

	if (strncmp(err->bytes, start, strlen(start)) || !next_line(&left))
		return;
	check_line(&(struct text){ err->bytes, left.bytes - err->bytes });
	err->length = left.length;
	memmove(err->bytes, left.bytes, left.length + 1);
}

static struct outcome import(struct text file)
{
	const struct op op = { .file = "-", .mask = 1u << NF_EDGE_GROUP_FEDERATION };
	struct outcome imported = run_op(cmd_partner_import, op, false, file);

	PROPERTY(!*kernel_refusal(), "the kernel refuses it: %s", imported.err.bytes);
	skip_unread(&imported.err);
	PROPERTY(!imported.code == !imported.err.length, "exit code %d: %s", imported.code,
		 imported.err.bytes);
	return imported;
}

static void try_import(struct text file)
{
	struct outcome first, second;
	struct text before, after;

	kernel_reset();
	before = save();
	first = import(file);
	if (first.code) {
		/* each domain that is not found has a line */
		first.err.length = strcspn(first.err.bytes, "\n") + 1;
		check_refusal(&first);
		expect_saved("refused", &before);
		free(before.bytes);
		outcome_free(&first);
		return;
	}
	free(before.bytes);
	after = save();
	second = import(file);
	PROPERTY(!second.code && !strncmp(second.out.bytes, "added 0, ", 9), "again: %s%s",
		 second.out.bytes, second.err.bytes);
	expect_saved("imported again", &after);
	PROPERTY(load(after, false), "refused as it was saved:\n%s", after.bytes);
	expect_saved("loaded as it was saved", &after);
	free(after.bytes);
	outcome_free(&first);
	outcome_free(&second);
}

/* ---- command lines ---- */

#define WORDS_MAX	64

/* The words as a line of a file, all in quotes. */
static struct text quote(char *const argv[], int argc)
{
	struct text line = { 0 };
	FILE *file = sure(open_memstream(&line.bytes, &line.length));
	const char *at;
	int i;

	for (i = 0; i < argc; i++) {
		putc('"', file);
		for (at = argv[i]; *at; at++) {
			if (*at == '"' || *at == '\\')
				putc('\\', file);
			putc(*at, file);
		}
		fputs("\" ", file);
	}
	fclose(file);
	return line;
}

/* No word of a command that a file may hold can break a line, or the quotes. */
static void expect_same_line(char *const argv[], int argc)
{
	struct text line = quote(argv, argc);
	struct words words = { 0 };
	struct op op = { 0 };
	int i;

	PROPERTY(!memchr(line.bytes, '\n', line.length), "a line break in a word: %s", line.bytes);
	PROPERTY(line_split(&op, line.bytes, line.length, &words), "quoted words: %s", op.error);
	PROPERTY(words.count == argc, "%d words, not %d", words.count, argc);
	for (i = 0; i < argc; i++)
		PROPERTY(!strcmp(words.word[i], argv[i]), "word %d is %s, not %s", i,
			 words.word[i], argv[i]);
	free(words.word);
	free(line.bytes);
}

static int parse_only(const struct options *options, struct op *op)
{
	(void)options;
	return misuse("%s", op->text);
}

static void try_words(char *bytes, size_t length)
{
	char *argv[WORDS_MAX + 1] = { NULL };
	const struct command *command;
	struct outcome outcome;
	struct op op = { 0 };
	char *end = bytes + length;
	int argc = 0;

	for (; bytes < end && argc < WORDS_MAX; bytes += strlen(bytes) + 1)
		argv[argc++] = bytes;
	if (!argc)
		return;
	command = command_parse(&op, argc, argv);
	if (command) {
		PROPERTY(!op.error[0], "taken, but: %s", op.error);
		if (command->stage)
			expect_same_line(argv, argc);
	} else {
		outcome = run(parse_only, op.error, false, (struct text){ 0 });
		check_line(&outcome.err);
		outcome_free(&outcome);
	}
	op_free(&op);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		abort();
	real_stdin = stdin;
	real_stdout = stdout;
	real_stderr = stderr;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text text = { malloc(size + 1), size };

	if (!text.bytes)
		abort();
	memcpy(text.bytes, data, size);
	text.bytes[size] = '\0';
	if (size && !data[0]) {
		try_words(text.bytes + 1, size - 1);
	} else if (size && data[0] == 1) {
		try_import((struct text){ text.bytes + 1, size - 1 });
	} else {
		try_file(text);
		try_halves(text);
	}
	free(text.bytes);
	return 0;
}

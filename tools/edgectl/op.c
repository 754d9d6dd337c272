// SPDX-License-Identifier: GPL-2.0-only
/*
 * op: one command's arguments, understood, or why they are not
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "op.h"

void op_refuse(struct op *op, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(op->error, sizeof(op->error), format, args);
	va_end(args);
}

void op_free(struct op *op)
{
	free(op->prefix);
	free(op->name);
	op->prefix = NULL;
	op->name = NULL;
	op->count = 0;
	op->names = 0;
	op->room = 0;
	op->name_room = 0;
}

/* The port map is left as it is: who reads it, has filled it. */
void op_reset(struct op *op)
{
	op->set = false;
	op->value = 0;
	op->mask = 0;
	op->reasons = 0;
	op->text = NULL;
	op->count = 0;
	op->names = 0;
	op->domain.text[0] = '\0';
	op->own = false;
	op->exact = false;
	op->all = false;
	op->sort = SORT_ADDRESS;
	op->until = 0;
	op->relative = false;
	memset(&op->flow, 0, sizeof(op->flow));
	op->error[0] = '\0';
}

void *grow_list(void *list, size_t *room, size_t size)
{
	size_t more = *room ? *room * 2 : 8;

	list = reallocarray(list, more, size);
	if (list)
		*room = more;
	return list;
}

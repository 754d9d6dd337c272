/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The types of a namespace-tagged kobject's callbacks, as this kernel declares them:
 * the kobject became const ("kobject: make get_ownership() and namespace() take a const
 * kobject *", 6.2), the tag went from const void * to const struct ns_common * (commit
 * e3b2cf6e5dba). Asked of the compiler, so that a backport cannot mislead us.
 */
#ifndef _EDGE_COMPAT_LINUX_KOBJECT_H
#define _EDGE_COMPAT_LINUX_KOBJECT_H

#include_next <linux/kobject.h>

typedef typeof(((struct kobj_type *)NULL)->namespace(NULL)) edge_ns_tag;

typedef typeof(*__builtin_choose_expr(
	__builtin_types_compatible_p(typeof(*((struct kobj_type *)NULL)->namespace),
				     edge_ns_tag(struct kobject *)),
	(struct kobject *)NULL, (const struct kobject *)NULL)) edge_kobject;

/* The tag of a network namespace. */
#define edge_ns_tag_of(net)							\
	__builtin_choose_expr(							\
		__builtin_types_compatible_p(edge_ns_tag, const void *),	\
		(const void *)(net), &(net)->ns)

#endif /* _EDGE_COMPAT_LINUX_KOBJECT_H */

// SPDX-License-Identifier: GPL-2.0-only
#include "sysfs.h"

#include <linux/kobject.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#include <net/net_namespace.h>

#include "config.h"

struct edge_sysfs_dir {
	struct kobject kobj;
	struct edge_net *edge;
};

/* A file: what it shows, and of which row or reason. */
struct edge_file {
	struct attribute attr;
	ssize_t (*show)(struct edge_net *edge, u32 of, char *buf);
	u32 of;
};

enum { POLICY_DIR, RULES_DIR, DROPS_DIR };

static struct kobject *root;

/* policy/ */

#define SHOW_POLICY(file, format, value)						\
static ssize_t show_##file(struct edge_net *edge, u32 of, char *buf)			\
{											\
	const struct edge_policy *policy;						\
	ssize_t length;									\
											\
	rcu_read_lock();								\
	policy = rcu_dereference(edge->policy);						\
	length = sysfs_emit(buf, format "\n", value);					\
	rcu_read_unlock();								\
	return length;									\
}

SHOW_POLICY(mode, "%s", edge_mode_names[policy->mode])
SHOW_POLICY(unlisted, "%s", edge_unlisted_names[policy->unlisted])
SHOW_POLICY(rtp_match, "%s", edge_rtp_match_names[policy->rtp_match])
SHOW_POLICY(blocks, "%u", edge_blocks_count(policy->blocks))
SHOW_POLICY(partners, "%u", READ_ONCE(policy->partners->count))
SHOW_POLICY(interfaces, "%u", edge_config_interface_pairs(policy))

static ssize_t show_generation(struct edge_net *edge, u32 of, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(edge->generation));
}

/* A map too ragged for one page is refused rather than cut short. */
static ssize_t emit_ports(const struct edge_ports *ports, char *buf)
{
	u32 first = 1, last;
	int length = 0;

	for (; edge_ports_walk(ports, &first, &last); first = last + 1) {
		length += sysfs_emit_at(buf, length, first == last ? "%s%u" : "%s%u-%u",
					length ? "," : "", first, last);
		if (length >= PAGE_SIZE - 1)
			return -E2BIG;
	}
	length += sysfs_emit_at(buf, length, length ? "\n" : "none\n");
	return length;
}

static ssize_t show_rtp_ports(struct edge_net *edge, u32 of, char *buf)
{
	ssize_t length;

	rcu_read_lock();
	length = emit_ports(&rcu_dereference(edge->policy)->ports, buf);
	rcu_read_unlock();
	return length;
}

/* rules/<row>/ */

static ssize_t show_class(struct edge_net *edge, u32 row, char *buf)
{
	return sysfs_emit(buf, "%s\n", edge_rows[row].class);
}

SHOW_POLICY(enabled, "%d", !!(policy->enabled & BIT(of)))
SHOW_POLICY(peers, "%s", edge_peers_names[policy->any & BIT(of) ? NF_EDGE_PEERS_ANY :
							      NF_EDGE_PEERS_LISTED])

/* rules/<row>/ and drops/<reason>/; of is a counter's slot */

#define SHOW_COUNTER(name)								\
static ssize_t show_##name(struct edge_net *edge, u32 slot, char *buf)			\
{											\
	return sysfs_emit(buf, "%llu\n", edge_counters_read(&edge->counters, slot).name); \
}

SHOW_COUNTER(packets)
SHOW_COUNTER(bytes)
SHOW_COUNTER(flows)

#define FILE(file) { .attr = { .name = #file, .mode = 0444 }, .show = show_##file }

static struct edge_file policy_files[] = {
	FILE(mode), FILE(unlisted), FILE(generation), FILE(rtp_ports), FILE(rtp_match),
	FILE(partners), FILE(interfaces), FILE(blocks),
};

static const struct edge_file rule_files[] = {
	FILE(class), FILE(enabled), FILE(peers), FILE(packets), FILE(bytes), FILE(flows),
};

static const struct edge_file drop_files[] = { FILE(packets), FILE(bytes) };

/* A subdirectory for each row and each reason, filled in from the lists above. */
#define FILES_MAX ARRAY_SIZE(rule_files)

struct subdirectory {
	struct edge_file files[FILES_MAX];
	struct attribute *attrs[FILES_MAX + 1];
	struct attribute_group group;
};

static struct subdirectory rules[NF_EDGE_ROW_COUNT];
static struct subdirectory drops[NF_EDGE_REASON_COUNT];

static struct attribute *policy_attrs[ARRAY_SIZE(policy_files) + 1];
static const struct attribute_group policy_group = { .attrs = policy_attrs };

static const struct attribute_group *policy_groups[] = { &policy_group, NULL };
static const struct attribute_group *rule_groups[NF_EDGE_ROW_COUNT + 1];
static const struct attribute_group *drop_groups[NF_EDGE_REASON_COUNT + 1];

static void __init fill(struct subdirectory *sub, const char *name, u32 of,
			const struct edge_file *files, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++) {
		sub->files[i] = files[i];
		sub->files[i].of = of;
		sub->attrs[i] = &sub->files[i].attr;
	}
	sub->group.name = name;
	sub->group.attrs = sub->attrs;
}

static void __init fill_all(void)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(policy_files); i++)
		policy_attrs[i] = &policy_files[i].attr;
	for (i = 0; i < NF_EDGE_ROW_COUNT; i++) {
		fill(&rules[i], edge_row_names[i], edge_slot_of_row(i), rule_files,
		     ARRAY_SIZE(rule_files));
		rule_groups[i] = &rules[i].group;
	}
	for (i = 0; i < NF_EDGE_REASON_COUNT; i++) {
		fill(&drops[i], edge_reason_names[i], edge_slot_of_reason(i), drop_files,
		     ARRAY_SIZE(drop_files));
		drop_groups[i] = &drops[i].group;
	}
}

static ssize_t show(struct kobject *kobj, struct attribute *attr, char *buf)
{
	const struct edge_sysfs_dir *dir = container_of(kobj, struct edge_sysfs_dir, kobj);
	const struct edge_file *file = container_of(attr, struct edge_file, attr);

	return file->show(dir->edge, file->of, buf);
}

static const struct sysfs_ops ops = { .show = show };

static void release_dir(struct kobject *kobj)
{
	kfree(container_of(kobj, struct edge_sysfs_dir, kobj));
}

static edge_ns_tag namespace_of(edge_kobject *kobj)
{
	return edge_ns_tag_of(container_of(kobj, struct edge_sysfs_dir, kobj)->edge->net);
}

static void ownership_of(edge_kobject *kobj, kuid_t *uid, kgid_t *gid)
{
	net_ns_get_ownership(container_of(kobj, struct edge_sysfs_dir, kobj)->edge->net, uid, gid);
}

#define DIR_TYPE(groups) {			\
	.sysfs_ops = &ops,			\
	.release = release_dir,			\
	.namespace = namespace_of,		\
	.get_ownership = ownership_of,		\
	.default_groups = (groups),		\
}

static struct kobj_type dir_types[] = {
	[POLICY_DIR] = DIR_TYPE(policy_groups),
	[RULES_DIR] = DIR_TYPE(rule_groups),
	[DROPS_DIR] = DIR_TYPE(drop_groups),
};

static const char * const dir_names[] = {
	[POLICY_DIR] = "policy",
	[RULES_DIR] = "rules",
	[DROPS_DIR] = "drops",
};

static struct edge_sysfs_dir *dir_add(struct edge_net *edge, int which)
{
	struct edge_sysfs_dir *dir = kzalloc(sizeof(*dir), GFP_KERNEL);
	int err;

	if (!dir)
		return ERR_PTR(-ENOMEM);
	dir->edge = edge;
	err = kobject_init_and_add(&dir->kobj, &dir_types[which], root, "%s", dir_names[which]);
	if (err) {
		kobject_put(&dir->kobj);
		return ERR_PTR(err);
	}
	return dir;
}

int edge_sysfs_net_init(struct edge_net *edge)
{
	int which;

	for (which = 0; which < ARRAY_SIZE(dir_types); which++) {
		struct edge_sysfs_dir *dir = dir_add(edge, which);

		if (IS_ERR(dir)) {
			edge_sysfs_net_exit(edge);
			return PTR_ERR(dir);
		}
		edge->sysfs[which] = dir;
	}
	return 0;
}

void edge_sysfs_net_exit(struct edge_net *edge)
{
	int which;

	for (which = ARRAY_SIZE(dir_types) - 1; which >= 0; which--) {
		if (!edge->sysfs[which])
			continue;
		kobject_del(&edge->sysfs[which]->kobj);	/* waits for readers */
		kobject_put(&edge->sysfs[which]->kobj);
		edge->sysfs[which] = NULL;
	}
}

static const struct kobj_ns_type_operations *child_ns_type(edge_kobject *kobj)
{
	return &net_ns_type_operations;
}

static void release_root(struct kobject *kobj)
{
	kfree(kobj);
}

static struct kobj_type root_type = {
	.sysfs_ops = &kobj_sysfs_ops,
	.release = release_root,
	.child_ns_type = child_ns_type,
};

int __init edge_sysfs_init(void)
{
	int err;

	fill_all();
	root = kzalloc(sizeof(*root), GFP_KERNEL);
	if (!root)
		return -ENOMEM;
	err = kobject_init_and_add(root, &root_type, kernel_kobj, "nf_edge");
	if (err)
		kobject_put(root);
	return err;
}

void edge_sysfs_exit(void)
{
	kobject_del(root);
	kobject_put(root);
}

// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* At a VM's interface: it neither sends nor hears control frames. */
#include "control.h"

char _license[] SEC("license") = "Dual BSD/GPL";

SEC("tc")
int hp_vm_egress(struct __sk_buff *skb)
{
	return is_control(skb) ? drop(EGRESS_DROPS) : TC_ACT_UNSPEC;
}

SEC("tc")
int hp_vm_ingress(struct __sk_buff *skb)
{
	return is_control(skb) ? drop(INGRESS_DROPS) : TC_ACT_UNSPEC;
}

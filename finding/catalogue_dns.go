package finding

func dnsEntries() []Entry {
	return []Entry{
		{
			DNSStaleRecord, "a published address belongs to no load balancer of the target",
			"An authoritative server publishes an address that the target's load balancer does not have. Clients that are given it reach nothing, or a stranger: cloud addresses are handed to other customers. Addresses are compared as a set on each server, so one stale address beside good ones is found too. It is a warning while a valid certificate for the name still answers there (an old load balancer that lives on), otherwise critical.",
			"Set the record to the load balancer's address in the zone named by the finding. Clients recover when their caches have expired, at the latest one TTL after the fix.",
			"RFC 1035 section 3.4.1; RFC 2181 section 5",
		},
		{
			DNSMissingRecord, "an address of the load balancer is not published",
			"The load balancer has an address that no authoritative server publishes for the name. If other right addresses of that family are published the load is uneven; if the whole family is absent, its clients come over the other one.",
			"Add the address to the record named by the finding.",
			"RFC 1035 section 3.4.1; RFC 3596",
		},
		{
			DNSNoRecord, "the name has no address record",
			"Every authoritative server that answers says that the name does not exist (NXDOMAIN) or has neither A nor AAAA (NODATA). Clients fail at once, and go on failing for the negative TTL after the record is created.",
			"Create the record. If it was deleted by automation, find out by what before you do.",
			"RFC 2308 sections 2 and 5",
		},
		{
			DNSInconsistent, "the zone's servers disagree",
			"The authoritative servers of one zone give different RRsets for the same question. Which answer a client gets is chance.",
			"Compare the zone's serial on each server; mend the transfer or the provider's deployment of the server that lags.",
			"RFC 1034 section 4.3.5; RFC 1996",
		},
		{
			DNSServerDegraded, "an authoritative server does not serve the zone",
			"One of the zone's servers is silent, refuses, fails, or answers without authority, while others answer. Resolvers try it anyway: some lookups are slow, and the next failure takes the name down.",
			"Mend that server, or take it out of the delegation at the parent and out of the zone's NS records.",
			"RFC 2182; RFC 1912 section 2.8",
		},
		{
			DNSUnresolvable, "no authority gave a usable answer",
			"None of the zone's servers said anything usable about the name, or about the one that it is an alias of, so nothing is known about what it publishes. If configured resolvers fail for the name too, or its aliases lead in a circle, clients fail and this is critical; otherwise it is unknown, because the fault may lie between us and the servers.",
			"Look at the zone's servers from another network. If the registrar's delegation names servers that no longer host the zone, correct it there.",
			"RFC 8499 section 7 (lame delegation)",
		},
		{
			DNSTTLExposure, "caches would hold this record for too long",
			"The largest TTL on the way to the load balancer's address is over dns.max_ttl. If the load balancer is ever replaced, clients go on failing for that long after the record is corrected.",
			"Lower the TTL of the records named by the finding now, while all is well: it takes one old TTL until the new one is in force everywhere.",
			"RFC 1035 section 3.2.1; RFC 2181 section 8",
		},
		{
			DNSCachedStale, "a resolver still serves an old address",
			"The authoritative servers are right again, but a recursive resolver still gives a wrong address from its cache. Its remaining TTL was measured. It is one cache of many.",
			"Wait until the time given. Public resolvers offer a page to flush one name; your own can be flushed by hand.",
			"RFC 1034 section 5.3.3; RFC 8767 (serving stale data)",
		},
		{
			DNSDraining, "the records are right; caches still expire",
			"A wrong address was published until a moment ago. Every cache that read it may keep it for the TTL that it had then; that end is computed from the last time the address was seen on an authoritative server.",
			"Nothing: wait for the all-clear time. Restarting clients that hold their own cache helps them sooner.",
			"RFC 1034 section 5.3.3",
		},
		{
			DNSSpecialAddress, "a public name points at an address that clients cannot reach",
			"The name publishes a private, loopback, link-local or otherwise special-purpose address. Clients outside that network cannot reach it, and we never connect to it unless it is expected or allowed.",
			"Publish the public address; or, if this is meant (split horizon), pin it with targets[].addresses or allow it with probe.allow_addresses.",
			"RFC 6890; IANA special-purpose address registries",
		},
		{
			DNSResolverDegraded, "a recursive resolver gave no usable answer",
			"A resolver listed in dns.resolvers did not answer, or failed for this name, so its cache could not be looked at. Verdicts about the records do not depend on it.",
			"Check that this resolver can be reached from here over UDP and TCP port 53, or take it out of dns.resolvers.",
			"RFC 1035 section 7",
		},
	}
}

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
			"The load balancer has an address that no authoritative server publishes for the name. If other right addresses of that family are published the load is uneven; if the whole family is absent, its clients come over the other one. It is only worth knowing while the name servers are seen to choose among the addresses: by turns, or because the name was switched from one of them to another.",
			"Add the address to the record named by the finding.",
			"RFC 1035 section 3.4.1; RFC 3596",
		},
		{
			DNSNoRecord, "the name has no address record",
			"Every authoritative server that answers says that the name does not exist (NXDOMAIN) or has neither A nor AAAA (NODATA). Clients fail at once, and go on failing for the negative TTL after the record is created. Where aliases take turns, or differ between servers, and only one of them leads to such a name, its part of the clients fails: a warning, or critical if a resolver came there too.",
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
			"None of the zone's servers said anything usable about the name, or about the one that it is an alias of, so nothing is known about what it publishes. If configured resolvers fail for the name too, or its aliases lead in a circle, clients fail and this is critical; otherwise it is unknown, because the fault may lie between us and the servers. The same holds for one of several names that aliases lead to, and for one type, A or AAAA, that no server answers although it gives the other.",
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
			"A wrong address was published until a moment ago, or the name was denied. Every cache that read it may keep it for the TTL that it had then, and a denial for the smaller of the TTL and the minimum of the zone's SOA record; that end is computed from the looks at the authoritative servers, of before and after. While a server that gave the address last gives no usable answer, nobody knows whether it is gone: then this is unknown and has no end, for a week at most or until the server is out of the delegation. As a warning: the zone has moved to other servers, and one that it had still gives a wrong address; caches ask that one until its NS records have expired.",
			"Nothing: wait for the all-clear time. If a former server of the zone still gives a wrong address, ask its provider to remove or correct the zone there. Restarting clients that hold their own cache helps them sooner.",
			"RFC 1034 section 5.3.3; RFC 2308 section 5",
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
		{
			DNSResolverDiffers, "a resolver gives what the zone's servers do not",
			"A resolver in dns.resolvers gives an address, or a denial, that no look at the authoritative servers has seen for longer than caches may keep it, or says itself that it filters. So this is no old record that expires: the zone's servers give another view to that resolver (GeoDNS, split horizon), or the resolver blocks or rewrites the name.",
			"Ask the zone's servers from the resolver's network. If they give the wrong address there, correct that view; if they do not, take the name off the resolver's block list.",
			"RFC 8914 sections 4.5 and 4.16 to 4.18; RFC 7871 (views by client network)",
		},
		{
			DNSBogus, "resolvers that check signatures refuse the name",
			"A resolver in dns.resolvers fails for the name (SERVFAIL), and answers the same question when it is told not to check signatures (CD=1). So the zone, or one above it, is broken for DNSSEC: a DS record at the parent that fits no key of the zone, signatures that have expired, a signed zone that moved to a provider which does not sign. Whoever uses a resolver that validates, as the large public ones do, has no address; everybody else notices nothing. If the resolver gives the reason (extended DNS errors), the finding repeats it; if it gives none, it must also fail at a question that nobody has asked it before, answer once more with CD=1, and know a DS record of a zone on the way, so that an outage of the zone's servers is not taken for a broken signature. It is a warning if one resolver of several refuses: then that one may hold old keys, or have a wrong clock.",
			"Expired or missing signatures: sign the zone again. A DS record that fits no key: replace it at the registrar by that of a present key, or remove it; resolvers keep the old one for its TTL, often a day.",
			"RFC 4035 sections 3.2.2 and 5.5; RFC 8914 section 4",
		},
		{
			DNSDelegationMismatch, "the delegation and the zone name different servers",
			"Two sides say which servers a zone has: its parent, which hands it down, and the zone itself. They name different servers, or the parent's addresses for servers inside the zone (glue) are not those that the zone has. Resolvers begin with what the parent says: a server that was moved or switched off goes on being asked, and one that the parent does not know helps nobody who has not found the zone yet. It is critical if the parent does not delegate the zone any more, and only worth knowing while the parent's own servers differ, as they do right after a change at the registry. Nothing is said if one server holds both zones, as then the parent's side is never seen.",
			"What the parent says is changed at the registrar, or in the parent zone if it is yours; what the zone says, in the zone. The finding says which of the two is to follow. Wait for the TTL of the delegation before a server that was taken out is switched off.",
			"RFC 1034 section 4.2.2; RFC 9471; RFC 1912 section 2.8",
		},
		{
			DNSNonconformant, "a zone or its server does less than resolvers rely on",
			"The zone is served, but not in every way that resolvers may need. A warning: no answer over TCP (large answers, and all from a server that limits its rate, cannot be read), a server's name that is an alias (Unbound follows it, BIND does not), questions with a DNS cookie that get no answer (BIND sends one each time), more than 100 addresses of one name and family (BIND takes no more), NS records that differ from server to server. Only worth knowing: a server without EDNS that says so properly, no NS records in the zone, servers with different serials (a transfer may be under way), all servers at one address. That a server does not answer over TCP is said only if some other did, so that it is not our own firewall. A server that is silent to questions with EDNS is of no use to resolvers, and so is dns/nameserver-degraded.",
			"Open TCP port 53, let firewalls pass EDNS with options that they do not know, give each server a name with addresses of its own, publish fewer addresses, and mend the transfer between servers that differ for long.",
			"RFC 7766 section 5; RFC 9210; RFC 6891; RFC 7873; RFC 2181 section 10.3; RFC 2182; DNS flag days 2019 and 2020; BIND: max-records-per-type",
		},
		{
			DNSOddTTL, "a TTL does not mean what it says",
			"A TTL of 0 is kept by no cache: each client waits for the zone's servers, and has no address when they are silent. Providers that resolve an alias themselves often give it. A TTL above a week is in force nowhere: BIND keeps a record for a week at most, Unbound for a day. One with the top bit set counts as 0, or with resolvers after RFC 8767 as a week. Different TTLs within a set are an error; resolvers take the smallest. One that is longer than external-dns is told to give (its ttl annotation) was not written by it as it should. It is a warning where the TTL is huge or has the top bit set and leads to a load balancer while dns.max_ttl is set: then it is a ttl-exposure too, and is told once.",
			"Give all records of the set one TTL, as short as a change may take. A provider's 0 for a name that it resolves itself can stay.",
			"RFC 2181 sections 5.2 and 8; RFC 8767 section 4",
		},
		{
			DNSPacketLoss, "packets to a zone's name servers get lost",
			"Each server of the zone answered some questions and left others unanswered, in about the same part, although each was asked twice. So no server is accused: the packets get lost on the way, most likely near us, or the servers limit how often one client may ask.",
			"Look for loss on the way from the probe to these servers. Verdicts about records do not depend on it: a question that nobody answered is said to be unknown.",
			"RFC 1035 section 4.2.1",
		},
	}
}

package finding

func lbEntries() []Entry {
	return []Entry{
		{
			LBReplaced, "the load balancer has another address than before",
			"The Service's load balancer lost an address that it had and got another one. That happens when the Service, or its load balancer in the cloud, is deleted and created again. Names that publish the old address by hand stay behind.",
			"Point the names behind it at the new address. Before the next planned replacement lower the TTL, and keep the address if your cloud can reserve it.",
			"Kubernetes: Service.status.loadBalancer",
		},
		{
			LBMissing, "the load balancer is gone",
			"The Service is gone or being deleted, or the cloud has no load balancer for it although Kubernetes still shows its address. Every name behind it fails, or will as soon as the address is released.",
			"Create the Service again (the new load balancer will most likely have another address), or touch the Service so that the cloud controller makes a new load balancer, then correct the records.",
			"Kubernetes: Service of type LoadBalancer; DigitalOcean API: load_balancers",
		},
		{
			LBPending, "the load balancer has no address yet",
			"The Service is of type LoadBalancer and has no address. Normal for a few minutes after it is created; afterwards the cloud controller cannot make it (quota, wrong annotation, rights).",
			"Read the events: kubectl describe service.",
			"Kubernetes: Service.status.loadBalancer",
		},
		{
			LBAddressMismatch, "Kubernetes and the cloud disagree about the address",
			"Service.status names other addresses than the cloud's API for the same load balancer. Service.status is only written when the Service is synchronised; an address that changed in the cloud is seen there late or never. Until both agree no record is called stale because of the addresses in dispute.",
			"Touch the Service (any annotation) so that the cloud controller writes the status again; then look at which address answers.",
			"Kubernetes: Service.status.loadBalancer; DigitalOcean API: load_balancers",
		},
		{
			LBUnhealthy, "the load balancer has nothing ready behind it, or has failed",
			"The Service has an address, and none of its endpoints is ready: the ingress controller does not run, or its pods fail their readiness probes. Every name behind it fails, whatever the DNS says; it is a warning while some still answer. Or the cloud itself says that the load balancer has failed (status errored).",
			"See why the pods are not ready: kubectl describe pod. Without any endpoint the Service's selector does not match the pods' labels. For a load balancer that has failed: the Service's events, then the cloud's support.",
			"Kubernetes: EndpointSlice conditions ready and serving; DigitalOcean API: load_balancers, status",
		},
		{
			LBOrphan, "a load balancer of this cluster that no Service owns",
			"The cloud's load balancer bears the tag of this cluster (k8s:UUID, the one on the load balancers of its Services), and no Service names it by id or by name. It is left over from a Service that was disowned or whose load balancer was renamed by hand: the controller then makes a second one. It is paid for, and whatever DNS points at it works until somebody tidies up. Said only if the cloud's list and the Services of the whole cluster are complete, and not of a load balancer younger than ten minutes.",
			"Move the names that still point there, then delete it; or give it to a Service: annotation kubernetes.digitalocean.com/load-balancer-id.",
			"DigitalOcean cloud controller: issue 224",
		},
		{
			LBContested, "more than one claims a load balancer",
			"The load balancer of the Service bears the tags of two clusters, or two Services claim it by id or name, or the account has several of the name by which the controller would find it. Controllers that share one overwrite each other's backends, or delete it under the other.",
			"Give each Service a load balancer of its own: remove the annotation that names the shared one (service.beta.kubernetes.io/do-loadbalancer-name, kubernetes.digitalocean.com/load-balancer-id), or disown it on all but one: service.kubernetes.io/do-loadbalancer-disown.",
			"DigitalOcean cloud controller: Service annotations",
		},
		{
			LBWillMove, "what is to be deployed gives a Service a new address",
			"driftprobe lint --against compared manifests with what is there now. The Service is deleted or renamed, is of type LoadBalancer no more, or names another load balancer: then the cloud deletes the one in front of it, and a new one has a new address. DNS records that point at the old one are wrong from that moment.",
			"Keep namespace, name and type of the Service. If it has to move: lower the TTL of the records and wait for the old one, deploy, correct the records at once.",
			"https://docs.digitalocean.com/products/kubernetes/how-to/add-load-balancers/",
		},
	}
}

func httpEntries() []Entry {
	return []Entry{
		{
			HTTPUnreachable, "nothing answers at an address of the target",
			"The connection was refused, reset or timed out at an address where clients are sent, or where they should be. The finding says at which address and in which phase.",
			"Refused: nothing listens there (is the ingress controller running, is the load balancer's forwarding rule there?). Timeout: a firewall, or an address that nobody has. Closed after connecting: the load balancer has no healthy backend, or expects PROXY protocol.",
			"RFC 9293; RFC 9110",
		},
		{
			HTTPStatus, "the response has an unexpected status",
			"The target answered with another status than expected. Without targets[].expect.status any status below 500 is accepted, but for 421, which says of itself that the request came to the wrong server; 400 is a warning, because it says that an ordinary request cannot be read, as where a load balancer sends PROXY protocol to a server that does not expect it; 404 is said as information, because many applications have nothing at /. A 400 whose text says that plain HTTP came to a port of TLS is critical whatever is expected: a load balancer ends TLS and passes plain HTTP on to such a port.",
			"502, 503, 504: the ingress controller has no healthy backend. 404 on a path that exists: the ingress controller does not know the host. Set expect.status if this answer is right.",
			"RFC 9110 section 15",
		},
		{
			HTTPBody, "the response body is not the expected one",
			"The expression of targets[].expect.body_regex was not found in the body, or a value of targets[].expect.json is absent or does not match, or the body is not JSON at all. The address may belong to something else that answers 200.",
			"Compare the response at that address with the application's own: curl --resolve HOST:PORT:ADDRESS URL.",
			"RFC 9110 section 6.4",
		},
		{
			HTTPHeader, "an expected response header is missing or different",
			"A header named in targets[].expect.headers is absent or does not match.",
			"Compare the response at that address with the application's own: curl -i --resolve HOST:PORT:ADDRESS URL.",
			"RFC 9110 section 6.3",
		},
		{
			HTTPRedirect, "a redirect leads nowhere, or elsewhere",
			"The redirects go in a circle, are more than ten, lead to another host than those in targets[].redirects.hosts, from https to plain http, to an address that must not be connected to, or to something that does not answer, or name no URL at all; or they end at another URL than targets[].expect.final_url. A redirect to the very URL that was asked, without a cookie, is found even where redirects are not followed.",
			"Most circles come from a server that redirects plain http to https behind a load balancer that has ended TLS already: let it trust X-Forwarded-Proto, or take one of the two redirects out.",
			"RFC 9110 section 15.4",
		},
		{
			HTTPProtocol, "another version of HTTP is spoken than expected",
			"The target agreed on another protocol than the one in targets[].expect.protocol.",
			"HTTP/2 is offered by the server that ends TLS, by ALPN: look at its configuration, and whether a load balancer in front ends TLS instead.",
			"RFC 9113 section 3.2; RFC 7301",
		},
		{
			HTTPIdentity, "what answers does not prove to be the target",
			"The header or the page of targets[].expect.identity, which only the target itself can give, was absent or different. Somebody else may have the address now. With a page nothing else was sent there. Where the answer is an error of the server (5xx), 400, 408, 421 or 429 it is not known who gives it: that is http/status. Where plain http is redirected to https nothing is known: that is self/not-observed.",
			"Find out who has the address. If it is the target, deploy the proof to all of its servers.",
			"RFC 9110 section 4.3.3 (what makes a response authoritative)",
		},
		{
			HTTPSlow, "the target answers more slowly than expected",
			"The look took longer than targets[].expect.within, from the first packet to the end of the body; the look-up in the DNS is not part of it. The finding names the phase that took longest.",
			"Look where the time goes: the network while connecting, the server that ends TLS in the handshake, the application before the first byte.",
			"RFC 9110 section 3.3",
		},
		{
			HTTPReachable, "something answers where nothing may",
			"The target has expect.unreachable, and answers.",
			"Close the port, or take expect.unreachable away.",
			"RFC 9293 section 3.5 (connections)",
		},
	}
}

func selfEntries() []Entry {
	return []Entry{
		{
			SelfOffline, "this probe has no network",
			"Nothing that was asked has answered: no name server, no resolver, no target. That is our own network, so nothing is said about the targets and everything known before is held.",
			"Check this machine's network and its way out (egress policy, firewall, proxy).",
			"",
		},
		{
			SelfSourceDegraded, "a source of truth could not be read",
			"Kubernetes or the cloud did not give a complete list. What is known from before is held; no record is called stale because of what is missing now.",
			"Do what the finding says: rights, token, address, or wait for the service to come back.",
			"",
		},
		{
			SelfSourceUnread, "some kinds of objects were never read",
			"The cluster gave its Services and never gave objects of the kinds that are named: a right is missing, or they have not arrived yet. Hosts that only such objects declare are not looked at, and a host that they declare beside others may lack a load balancer. An incident that was seen before they went unread is held.",
			"Grant list and watch on the kinds that the finding names (the rules of the chart do), or list the hosts that matter as targets in the configuration.",
			"docs/kubernetes.md",
		},
		{
			SelfBypassed, "this probe did not cross the load balancer",
			"From inside the cluster, traffic to an address in Service.status goes straight to the ingress controller's pods, unless its ipMode is Proxy (KEP-1860). So the probe says that the ingress controller and the applications work, and nothing of the load balancer. Where the Service's annotation says that the controller expects PROXY protocol, the probe speaks it (version 1) in the load balancer's place. Unknown if a TLS handshake failed there and the load balancer ends TLS or speaks PROXY protocol: then clients may see something else.",
			"Look from outside too: driftprobe --once from a laptop or CI. For an address that is reached through a hostname (service.beta.kubernetes.io/do-loadbalancer-hostname) nothing is bypassed.",
			"KEP-1860; Kubernetes: Service.status.loadBalancer.ingress.ipMode",
		},
		{
			SelfTargetUnmapped, "no load balancer is known for this host",
			"The host was found in the cluster, but no Service of type LoadBalancer could be said to front it, so nobody can say which addresses are right.",
			"Name it: targets[].service, or targets[].addresses; or on the object that declares it the annotation driftprobe.io/service, or driftprobe.io/ignore if it is not to be looked at.",
			"",
		},
		{
			SelfDeclarationUnused, "something that a cluster object says cannot be used",
			"An annotation has a value that cannot be used, a host is no DNS name, a rule names hosts by a regular expression, or a route is attached to a Gateway that does not accept it. The object is looked at without it; hosts that nobody can list are not looked at.",
			"Correct the object. Hosts behind a regular expression: list them in the annotation external-dns.kubernetes.io/hostname, or as targets in the configuration.",
			"docs/kubernetes.md",
		},
		{
			SelfOverLimit, "more hosts than are looked at",
			"One object of the cluster, or the cluster, declares more hosts than a limit of ours allows. Those over it are not looked at, so nothing is known of them; about all others everything is.",
			"Spread the hosts over several objects; list those that matter as targets in the configuration; or watch a part of the namespaces with each driftprobe.",
			"docs/kubernetes.md",
		},
		{
			SelfNotObserved, "something could not be looked at",
			"A look at this name or address did not come to an end, through a fault of ours, or the target was not asked: its certificate was not valid then, or the proof of its identity, asked for over plain http, was redirected to https. Or a record leads to another load balancer of ours, and objects of the cluster that may have the name there could not be read: it is neither right nor stale then. What no load balancer has any more stays stale. Nothing is said about the target.",
			"Do what the finding says. Else read our log at level debug; report a panic as a bug with the output of --once -o json.",
			"",
		},
	}
}

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
			"The target answered with another status than expected. Without targets[].expect.status any status below 500 but 404 is accepted; 404 is said as information, because many applications have nothing at /.",
			"502, 503, 504: the ingress controller has no healthy backend. 404 on a path that exists: the ingress controller does not know the host. Set expect.status if this answer is right.",
			"RFC 9110 section 15",
		},
		{
			HTTPBody, "the response body is not the expected one",
			"The expression of targets[].expect.body_regex was not found in the body. The address may belong to something else that answers 200.",
			"Compare the response at that address with the application's own: curl --resolve HOST:PORT:ADDRESS URL.",
			"RFC 9110 section 6.4",
		},
		{
			HTTPHeader, "an expected response header is missing or different",
			"A header named in targets[].expect.headers is absent or does not match.",
			"Compare the response at that address with the application's own: curl -i --resolve HOST:PORT:ADDRESS URL.",
			"RFC 9110 section 6.3",
		},
	}
}

func tlsEntries() []Entry {
	return []Entry{
		{
			TLSExpired, "the certificate has expired",
			"A certificate on the path that clients verify is past its end. The finding says which one of the chain.",
			"Renew it; if the client of the certificate authority says that it did, reload the server that presents it.",
			"RFC 5280 section 4.1.2.5",
		},
		{
			TLSExpiring, "the certificate ends soon",
			"Less than a third of the certificate's lifetime is left on the path that clients verify. A working renewal happens before that.",
			"Find out why the renewal did not happen: the ACME client's log names the refusal.",
			"RFC 5280 section 4.1.2.5",
		},
		{
			TLSNotYetValid, "the certificate is not valid yet",
			"A certificate on the path begins in the future. Either it was deployed too early, or a clock is wrong.",
			"Compare the clock of the machine that issued it, and of this one.",
			"RFC 5280 section 4.1.2.5",
		},
		{
			TLSNameMismatch, "the certificate is for other names",
			"The certificate presented for this name does not cover it. Clients refuse it. A wildcard covers one label only.",
			"Order a certificate with this name, or mend the rule that chooses the certificate for it.",
			"RFC 9525 section 6.3",
		},
		{
			TLSUntrusted, "the certificate leads to no trusted root",
			"No path from the presented certificate to a trusted root was found: the authority is unknown, or an intermediate is missing from the chain.",
			"Present the full chain (fullchain.pem). For a private authority set tls.ca_file.",
			"RFC 5280 section 6; RFC 8446 section 4.4.2",
		},
		{
			TLSSelfSigned, "the certificate is self-signed",
			"The server presents a certificate that it signed itself. Clients refuse it.",
			"Install a certificate from an authority. For a private one set tls.ca_file.",
			"RFC 5280 section 3.2",
		},
		{
			TLSDefaultCertificate, "the ingress controller presents its placeholder certificate",
			"The certificate is the one that an ingress controller makes for itself when it has none for the name (TRAEFIK DEFAULT CERT, Kubernetes Ingress Controller Fake Certificate, cert-manager's temporary certificate). The real one was never issued, was lost, or the order was refused, often by Let's Encrypt's limit on identical certificates.",
			"Read the controller's log for the ACME error. If certificates are lost at restarts, keep them on a volume that survives (acme.json on a PersistentVolumeClaim) before ordering again.",
			"Let's Encrypt: rate limits; Traefik: default certificate",
		},
		{
			TLSHandshake, "the TLS handshake fails",
			"The peer accepts connections but the handshake does not complete: an alert, another protocol on the port, or a hang-up.",
			"Try openssl s_client -connect ADDRESS:PORT -servername HOST. An alert unrecognized_name or handshake_failure: the server has no certificate for the name. A hang-up without a word: it may expect PROXY protocol.",
			"RFC 8446 section 6",
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
			SelfNotObserved, "something could not be looked at",
			"A look at this name or address did not come to an end, through a fault of ours. Nothing is said about the target.",
			"Read our log at level debug; report a panic as a bug with the output of --once -o json.",
			"",
		},
	}
}

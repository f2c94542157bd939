package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"driftprobe/config"
	"driftprobe/finding"
	"driftprobe/internal/inventory"
	"driftprobe/internal/notify"
)

// sinks are all that is told of incidents.
type sinks struct {
	outbox    *notify.Outbox
	manager   *notify.Alertmanager // nil: none
	heartbeat *notify.Heartbeat    // nil: none
	greeting  sync.Once
	greets    bool
}

// sinks takes up the alerts where the generation before has left them, so it is called
// when that one has ended.
func (s *server) sinks(g *generation, alive func() bool) (*sinks, error) {
	a := g.cfg.Alerts
	events := g.parts.cluster != nil && a.Events.Enabled != config.Off
	policy, err := alertPolicy(g.cfg, events)
	if err != nil {
		return nil, err
	}
	s.alerts.use(g.memory.store)
	// A redirect would carry what is secret in an address to a stranger.
	client := &http.Client{Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	var queued []notify.Sink
	if a.Slack.Configured {
		url := secretOf(a.Slack.WebhookURL, a.Slack.WebhookURLFile, "alerts.slack.webhook_url_file")
		queued = append(queued, notify.NewSlack(url, client, a.ClusterName, a.ExternalURL))
	}
	for _, w := range a.Webhooks {
		place := "alerts.webhooks[" + w.Name + "]."
		var key func() (string, error)
		if w.KeyFile != "" {
			key = secretOf(config.Secret{}, w.KeyFile, place+"key_file")
		}
		queued = append(queued, notify.NewWebhook(webhookName(w), secretOf(w.URL, w.URLFile, place+"url_file"), key, client, a.ClusterName, a.ExternalURL))
	}
	if events {
		queued = append(queued, g.parts.cluster.Events(s.self))
	}
	if a.Stdout.Enabled {
		// That nobody reads standard output any more must not end the other alerts: it is an
		// error of this sink then.
		signal.Ignore(syscall.SIGPIPE)
		queued = append(queued, notify.NewLines("stdout", s.output, a.ClusterName, a.ExternalURL))
	}
	all := &sinks{greets: a.StartupNotice && !s.greeted}
	s.greeted = true
	if len(a.Alertmanager.URLs) > 0 {
		all.manager = &notify.Alertmanager{
			URLs: a.Alertmanager.URLs, Client: client, Header: authorizationOf(a.Alertmanager),
			Cluster: a.ClusterName, Link: a.ExternalURL, Log: s.log,
		}
	}
	if a.Heartbeat.URLFile != "" {
		all.heartbeat = &notify.Heartbeat{
			URL: secretOf(config.Secret{}, a.Heartbeat.URLFile, "alerts.heartbeat.url_file"), Client: client,
			Every: a.Heartbeat.Every, Alive: alive, Log: s.log,
		}
	}
	all.outbox, err = notify.NewOutbox(policy, &s.alerts, s.log, queued...)
	return all, err
}

func webhookName(w config.Webhook) string { return "webhook/" + w.Name }

// eventSink is the name of the sink that writes Events.
const eventSink = "kubernetes-events"

// alertPolicy says when to speak, and to whom. Without Events their keys mean nothing.
func alertPolicy(cfg config.Config, events bool) (notify.Policy, error) {
	a := cfg.Alerts
	p := notify.Policy{
		Pending: map[finding.Severity]time.Duration{
			finding.Critical: a.Pending.Critical, finding.Warning: a.Pending.Warning, finding.Unknown: a.Pending.Warning,
		},
		ResolveAfter: a.ResolveAfter, Repeat: a.Repeat, FlapAfter: int(a.Flaps), MinSeverity: finding.Critical,
		Shard: shardOf(cfg),
	}
	for _, s := range a.Silences {
		p.Silences = append(p.Silences, notify.Silence{Hosts: s.Hosts, Incident: s.Incident, Code: s.Code, Until: s.Parsed})
	}
	wanted := map[string]config.Routing{}
	if events {
		wanted[eventSink] = a.Events.Routing
	}
	if a.Slack.Configured {
		wanted["slack"] = a.Slack.Routing
	}
	if a.Stdout.Enabled {
		wanted["stdout"] = a.Stdout.Routing
	}
	if len(a.Alertmanager.URLs) > 0 {
		wanted[notify.AlertmanagerRoute] = a.Alertmanager.Routing
	}
	for _, w := range a.Webhooks {
		wanted[webhookName(w)] = w.Routing
	}
	for name, r := range wanted {
		least, err := finding.ParseSeverity(cmp.Or(r.MinSeverity, a.MinSeverity))
		if err != nil {
			return p, fmt.Errorf("alerts: min_severity: %w", err)
		}
		route := notify.Route{Sink: name, MinSeverity: least, Namespaces: r.Namespaces, Hosts: r.Hosts, Labels: r.Labels, Storm: int(a.Storm)}
		if name == eventSink {
			route.Storm = 0 // an Event is of one Service, so many are not told as one
		}
		p.Routes = append(p.Routes, route)
		p.MinSeverity = min(p.MinSeverity, least)
	}
	slices.SortStableFunc(p.Routes, func(a, b notify.Route) int { return strings.Compare(a.Sink, b.Sink) })
	return p, nil
}

// secretOf reads a secret each time: from its file, if one is named.
func secretOf(inline config.Secret, file, key string) func() (string, error) {
	return func() (string, error) {
		if file == "" {
			return inline.Reveal(), nil
		}
		secret, err := config.ReadSecretFile(file, key)
		return secret.Reveal(), err
	}
}

func authorizationOf(a config.Alertmanager) func() (http.Header, error) {
	return func() (http.Header, error) {
		h := http.Header{}
		err := authorize(config.Target{BasicAuth: a.BasicAuth, BearerTokenFile: a.BearerTokenFile}, "alerts.alertmanager.", h)
		return h, err
	}
}

// run delivers until ctx ends.
func (s *sinks) run(ctx context.Context) {
	var all sync.WaitGroup
	if s.manager != nil {
		all.Go(func() { s.manager.Run(ctx, s.outbox.State, s.outbox.Changes) })
	}
	if s.heartbeat != nil {
		all.Go(func() { s.heartbeat.Run(ctx) })
	}
	s.outbox.Run(ctx)
	all.Wait()
}

// greet says once that the watch has begun, if that is wanted.
func (s *sinks) greet(at time.Time, hosts int) {
	if s.greets {
		s.greeting.Do(func() { s.outbox.Greet(at, hosts) })
	}
}

func (s *sinks) deliveries() []notify.Delivery {
	all := s.outbox.Deliveries()
	if s.manager != nil {
		all = append(all, s.manager.Deliveries()...)
	}
	if s.heartbeat != nil {
		all = append(all, s.heartbeat.Delivery())
	}
	return all
}

// hostsOf are the hostnames that are watched.
func hostsOf(inv inventory.Inventory) map[string]notify.Host {
	all := make(map[string]notify.Host, len(inv.Targets))
	for _, t := range inv.Targets {
		h := all[t.Host]
		for name, value := range t.Labels {
			if h.Labels == nil {
				h.Labels = map[string]string{}
			}
			if _, twice := h.Labels[name]; !twice {
				h.Labels[name] = value
			}
		}
		for _, d := range t.Declarations {
			// "Ingress shop/web"
			_, name, _ := strings.Cut(d.Object, " ")
			if namespace, _, ok := strings.Cut(name, "/"); ok && !slices.Contains(h.Namespaces, namespace) {
				h.Namespaces = append(h.Namespaces, namespace)
			}
		}
		all[t.Host] = h
	}
	return all
}

package kube

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/transport"

	"driftprobe/config"
	"driftprobe/internal/inventory"
)

// Settings say where the cluster is.
type Settings struct {
	// Kubeconfig is a file, or a list of files as in $KUBECONFIG. Empty: the
	// cluster that the program itself runs in. The usual files of a home folder
	// are never read unasked: that is for the caller to choose.
	Kubeconfig string
	// Context is a context of the kubeconfig; empty: its current one.
	Context string
	// Namespaces are the only ones to read; empty: all.
	Namespaces []string
	// HTTPSPort is where the hosts that Ingresses declare answer; 0 means 443.
	HTTPSPort uint16
	// Shard is the part of the hosts that is wanted. What is left out is not counted to
	// the limit on hosts.
	Shard inventory.Shard
	// Log gets one line when a resource stops or starts being readable, and the
	// client's own words at debug level. Nil: none.
	Log *slog.Logger
}

// Error says what was wrong with the way to the cluster.
type Error struct {
	what string
	hint string
	err  error
}

// Error names the file or context, and what is wrong with it.
func (e *Error) Error() string {
	if e.err == nil {
		return e.what
	}
	return e.what + ": " + clip(e.err.Error())
}

// Hint says what to do about it.
func (e *Error) Hint() string { return e.hint }

// Unwrap returns the cause, or nil.
func (e *Error) Unwrap() error { return e.err }

// Open reads the settings and prepares a client. It asks the cluster nothing.
// Errors are of type *Error.
func Open(s Settings) (*Cluster, error) {
	client, ask, place, err := connect(s)
	if err != nil {
		return nil, err
	}
	c := newCluster(client, place, namespaces(s.Namespaces), s.log())
	c.served.ask = ask
	c.port, c.shard = cmp.Or(s.HTTPSPort, 443), s.Shard
	return c, nil
}

func (s Settings) log() *slog.Logger {
	if s.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return s.Log
}

// connect returns the two ways to ask, and the name of the place that they lead to.
func connect(s Settings) (dynamic.Interface, func(context.Context, string) ([]byte, error), string, error) {
	settings, place, err := restConfig(s)
	if err != nil {
		return nil, nil, "", err
	}
	settings.UserAgent = "driftprobe"
	// Two requests for each resource and namespace come at once at the start.
	settings.QPS, settings.Burst = 20, 60
	if file := settings.BearerTokenFile; file != "" {
		// A token that was refused is read again at once, and not after a minute.
		settings.Wrap(transport.ResettableTokenSourceWrapTransport(transport.NewCachedFileTokenSource(file)))
		settings.BearerToken, settings.BearerTokenFile = "", ""
	}
	// The default handler writes the server's warnings to stderr.
	settings.WarningHandler = rest.NoWarnings{}
	client, ask, err := clients(settings)
	if err != nil {
		return nil, nil, "", &Error{place + ": no client can be made from it", "check the server URL, certificates and keys of that context", err}
	}
	return client, ask, place, nil
}

// clients makes the client for objects, and a way to get single documents.
func clients(settings *rest.Config) (dynamic.Interface, func(context.Context, string) ([]byte, error), error) {
	shared, err := rest.HTTPClientFor(settings)
	if err != nil {
		return nil, nil, err
	}
	objects, err := dynamic.NewForConfigAndClient(settings, shared)
	if err != nil {
		return nil, nil, err
	}
	plain, err := rest.UnversionedRESTClientForConfigAndClient(dynamic.ConfigFor(settings), shared)
	if err != nil {
		return nil, nil, err
	}
	return objects, func(ctx context.Context, path string) ([]byte, error) {
		return plain.Get().AbsPath(path).Do(ctx).Raw()
	}, nil
}

// namespaces returns each once, in order; one empty name stands for all.
func namespaces(list []string) []string {
	list = slices.DeleteFunc(slices.Clone(list), func(n string) bool { return n == "" })
	if len(list) == 0 {
		return []string{""}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// restConfig returns the client's configuration and a name for its place.
func restConfig(s Settings) (*rest.Config, string, error) {
	if s.Kubeconfig == "" {
		return inCluster(s)
	}
	files := filepath.SplitList(s.Kubeconfig)
	rules := &clientcmd.ClientConfigLoadingRules{Precedence: files}
	place := "kubeconfig " + s.Kubeconfig
	if err := readable(files); err != nil {
		hint := "give the path of an existing file"
		if !errors.Is(err, fs.ErrNotExist) {
			hint = "name a file of at most 1 MiB that the user who runs driftprobe can read"
		}
		return nil, "", &Error{place, hint, err}
	}
	raw, err := rules.Load()
	if err != nil {
		return nil, "", &Error{place + " can't be understood", "check it with: kubectl config view --kubeconfig " + files[0], firstLine(err)}
	}
	name := s.Context
	if name == "" {
		name = raw.CurrentContext
	}
	if name == "" {
		return nil, "", &Error{place + " has no current context", "name one with kubernetes.context" + known(raw), nil}
	}
	if raw.Contexts[name] == nil {
		return nil, "", &Error{fmt.Sprintf("%s has no context %q", place, name), "name another with kubernetes.context" + known(raw), nil}
	}
	place += ", context " + name
	var client *rest.Config
	if err = readableOf(raw, name); err == nil {
		client, err = clientcmd.NewNonInteractiveClientConfig(*raw, name, &clientcmd.ConfigOverrides{}, rules).ClientConfig()
	}
	if err != nil {
		return nil, "", &Error{place, "check the cluster and user of that context with: kubectl config view", firstLine(err)}
	}
	return client, place, nil
}

// readable returns nil if one of the files can be read: of several, as in $KUBECONFIG, absent
// ones are passed over. The client would wait for a pipe, and read a file of any size.
func readable(files []string) error {
	var absent error
	found := false
	for _, name := range files {
		_, err := config.ReadFile(name, config.MaxFile)
		var without *fs.PathError
		if errors.As(err, &without) && len(files) == 1 {
			err = without.Err // the message has the path already
		}
		switch {
		case err == nil:
			found = true
		case !errors.Is(err, fs.ErrNotExist):
			return err
		case absent == nil:
			absent = err
		}
	}
	if found {
		return nil
	}
	return absent
}

// readableOf is readable for the files that a context names, which are the client's to read.
func readableOf(raw *clientcmdapi.Config, context string) error {
	var files []string
	if cluster := raw.Clusters[raw.Contexts[context].Cluster]; cluster != nil {
		files = append(files, cluster.CertificateAuthority)
	}
	if user := raw.AuthInfos[raw.Contexts[context].AuthInfo]; user != nil {
		files = append(files, user.ClientCertificate, user.ClientKey, user.TokenFile)
	}
	for _, name := range files {
		if name == "" {
			continue
		}
		if _, err := config.ReadFile(name, config.MaxFile); err != nil {
			return err
		}
	}
	return nil
}

func inCluster(s Settings) (*rest.Config, string, error) {
	if s.Context != "" {
		return nil, "", &Error{fmt.Sprintf("context %q is named, but no kubeconfig", s.Context), "name the file with kubernetes.kubeconfig", nil}
	}
	settings, err := rest.InClusterConfig()
	if errors.Is(err, rest.ErrNotInCluster) {
		return nil, "", &Error{"no kubeconfig is named, and the program does not run in a cluster", "name the file with kubernetes.kubeconfig, or set KUBECONFIG", nil}
	}
	if err != nil {
		return nil, "", &Error{"the service account of this pod", "mount its token (automountServiceAccountToken), or name a kubeconfig", err}
	}
	return settings, "the cluster around this pod", nil
}

// known lists the contexts that there are, the first ten.
func known(raw *clientcmdapi.Config) string {
	names := make([]string, 0, len(raw.Contexts))
	for name := range raw.Contexts {
		names = append(names, name)
	}
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	return "; there are: " + clip(strings.Join(names[:min(len(names), 10)], ", "))
}

// firstLine cuts an error to its first line: the rest can quote the file, which
// holds credentials.
func firstLine(err error) error {
	text, _, _ := strings.Cut(err.Error(), "\n")
	return errors.New(clip(text))
}

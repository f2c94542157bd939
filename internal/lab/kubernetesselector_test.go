package lab

import (
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestKubernetesLabelSelectors(t *testing.T) {
	k := closing[*Kubernetes](t)(NewKubernetes("token"))
	_, client := kubeClient(t, k)
	for name, labels := range map[string]any{"a": map[string]any{"tier": "edge", "zone": "1"}, "b": map[string]any{"tier": "edge"}, "c": nil} {
		obj := service(name, "")
		obj["metadata"].(map[string]any)["labels"] = labels
		noError(t, k.Apply(obj))
	}
	for selector, want := range map[string]int{
		"": 3, "tier=edge": 2, "tier==edge,zone=1": 1, "tier in (edge,core)": 2, "zone in (1),tier in (edge)": 1, "tier in (core)": 0,
	} {
		list, err := client.Resource(services).Namespace("web").List(t.Context(), metav1.ListOptions{LabelSelector: selector})
		noError(t, err)
		equal(t, selector, len(list.Items), want)
	}
	for _, selector := range []string{"tier!=edge", "tier"} {
		if _, err := client.Resource(services).List(t.Context(), metav1.ListOptions{LabelSelector: selector}); err == nil {
			t.Errorf("%q is taken", selector)
		}
	}
}

func TestKubernetesWatchWithASelector(t *testing.T) {
	k := closing[*Kubernetes](t)(NewKubernetes("token"))
	_, client := kubeClient(t, k)
	w, err := client.Resource(services).Namespace("web").Watch(t.Context(), metav1.ListOptions{LabelSelector: "tier=edge"})
	noError(t, err)
	defer w.Stop()
	noError(t, k.Apply(service("plain", "")))
	edge := service("edge", "")
	edge["metadata"].(map[string]any)["labels"] = map[string]any{"tier": "edge"}
	noError(t, k.Apply(edge))
	event := <-w.ResultChan()
	got, _ := event.Object.(metav1.Object)
	equal(t, "the first event", got.GetName(), "edge")
}

func TestKubernetesResourceTakenAway(t *testing.T) {
	k := closing[*Kubernetes](t)(NewKubernetes("token"))
	k.AddResource("example.com", "v1", "Thing", "things", true)
	_, client := kubeClient(t, k)
	things := services
	things.Group, things.Resource = "example.com", "things"
	noError(t, k.Apply(map[string]any{"apiVersion": "example.com/v1", "kind": "Thing", "metadata": map[string]any{"name": "a", "namespace": "web"}}))
	w, err := client.Resource(things).Watch(t.Context(), metav1.ListOptions{})
	noError(t, err)
	k.RemoveResource("Thing")
	var events []string
	for e := range w.ResultChan() {
		events = append(events, string(e.Type))
	}
	equal(t, "events", events, []string{"ADDED", "DELETED"})
	if _, err := client.Resource(things).List(t.Context(), metav1.ListOptions{}); err == nil {
		t.Error("it is still listed")
	}
	k.SetAllowed("things", false)
	_, err = client.Resource(things).List(t.Context(), metav1.ListOptions{})
	if err == nil || !apierrors.IsForbidden(err) {
		t.Errorf("rights come before existence: %v", err)
	}
}

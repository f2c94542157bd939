package lab

import "fmt"

// Limits of the API server on what is written.
const (
	// https://kubernetes.io/docs/concepts/configuration/configmap/
	kubeConfigMap = 1 << 20 // bytes of all values
	// https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
	kubeEventNote = 1024 // bytes
)

// kubeRefused is what the API server has against an object, empty if nothing. Of its
// many rules these are the ones that a program meets which writes what it has measured.
func kubeRefused(kind string, obj map[string]any) string {
	switch kind {
	case "ConfigMap":
		size := 0
		plain, _ := obj["data"].(map[string]any)
		for _, v := range plain {
			size += len(fmt.Sprint(v))
		}
		binary, _ := obj["binaryData"].(map[string]any)
		for _, v := range binary {
			size += len(fmt.Sprint(v)) / 4 * 3 // of base64
		}
		if size > kubeConfigMap+2 { // padding
			return fmt.Sprintf("[]: Too long: may not be more than %d bytes", kubeConfigMap)
		}
	case "Event":
		meta, _ := obj["metadata"].(map[string]any)
		about, _ := obj["involvedObject"].(map[string]any)
		if about["namespace"] != meta["namespace"] {
			return "involvedObject.namespace: Invalid value: does not match event.namespace"
		}
		if len(fmt.Sprint(obj["message"])) > kubeEventNote {
			return fmt.Sprintf("message: Invalid value: can have at most %d characters", kubeEventNote)
		}
	}
	return ""
}

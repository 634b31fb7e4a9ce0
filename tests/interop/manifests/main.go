// Reads rendered manifests whose kinds kubernetes-validate does not know, and Envoy's
// configuration, as strictly as their own Go types do: an unknown field and one of another
// type are complaints. Pods must be within the restricted profile, by the checks that Kubernetes
// admits pods with. Prints complaints; exit 1 if there is one.
package main

import (
	"bytes"
	"fmt"
	"os"

	bootstrap "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/clusters/dns/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/buffer/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/cors/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/grpc_web/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/health_check/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/load_balancing_policies/least_request/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/resource_monitors/downstream_connections/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/resource_monitors/fixed_heap/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/retry/host/previous_hosts/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	keda "github.com/kedacore/keda/v2/apis/keda/v1alpha1"
	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	gateway "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"
)

type head struct {
	Kind string            `json:"kind"`
	Data map[string]string `json:"data"`
}

// Validates `message` and every message that is packed in it.
func validate(message proto.Message) error {
	if own, ok := message.(interface{ ValidateAll() error }); ok {
		if err := own.ValidateAll(); err != nil {
			return err
		}
	}
	var failed error
	var walk func(m protoreflect.Message)
	walk = func(m protoreflect.Message) {
		if packed, ok := m.Interface().(*anypb.Any); ok {
			inner, err := packed.UnmarshalNew()
			if err == nil {
				err = validate(inner)
			}
			if err != nil && failed == nil {
				failed = err
			}
			return
		}
		m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
			switch {
			case field.IsMap():
				if field.MapValue().Message() != nil {
					value.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
						walk(v.Message())
						return true
					})
				}
			case field.IsList():
				for i := 0; field.Message() != nil && i < value.List().Len(); i++ {
					walk(value.List().Get(i).Message())
				}
			case field.Message() != nil:
				walk(value.Message())
			}
			return true
		})
	}
	walk(message.ProtoReflect())
	return failed
}

func checkEnvoy(text string) error {
	json, err := yaml.YAMLToJSONStrict([]byte(text))
	if err != nil {
		return err
	}
	var config bootstrap.Bootstrap
	if err := protojson.Unmarshal(json, &config); err != nil {
		return err
	}
	return validate(&config)
}

func checkPod(metadata *meta.ObjectMeta, spec *core.PodSpec) error {
	checks, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		return err
	}
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	told := policy.AggregateCheckResults(checks.EvaluatePod(restricted, metadata, spec))
	if !told.Allowed {
		return fmt.Errorf("restricted profile: %s", told.ForbiddenDetail())
	}
	return nil
}

// What the document is, empty where that is not checked here, and what is wrong with it.
func check(document []byte) (string, error) {
	var what head
	if err := yaml.Unmarshal(document, &what); err != nil {
		return "", err
	}
	switch what.Kind {
	case "Deployment":
		var deployment apps.Deployment
		if err := yaml.UnmarshalStrict(document, &deployment); err != nil {
			return what.Kind, err
		}
		pod := &deployment.Spec.Template
		return what.Kind, checkPod(&pod.ObjectMeta, &pod.Spec)
	case "Pod":
		var pod core.Pod
		if err := yaml.UnmarshalStrict(document, &pod); err != nil {
			return what.Kind, err
		}
		return what.Kind, checkPod(&pod.ObjectMeta, &pod.Spec)
	case "ScaledObject":
		return what.Kind, yaml.UnmarshalStrict(document, &keda.ScaledObject{})
	case "ServiceMonitor":
		return what.Kind, yaml.UnmarshalStrict(document, &monitoring.ServiceMonitor{})
	case "PrometheusRule":
		return what.Kind, yaml.UnmarshalStrict(document, &monitoring.PrometheusRule{})
	case "GRPCRoute":
		return what.Kind, yaml.UnmarshalStrict(document, &gateway.GRPCRoute{})
	case "ConfigMap":
		if text, ok := what.Data["envoy.yaml"]; ok {
			return "EnvoyConfig", checkEnvoy(text)
		}
	}
	return "", nil
}

func main() {
	bad := 0
	for _, path := range os.Args[1:] {
		text, err := os.ReadFile(path)
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		for _, document := range bytes.Split(text, []byte("\n---\n")) {
			kind, err := check(document)
			if err != nil {
				fmt.Printf("%s: %s: %v\n", path, kind, err)
				bad = 1
			} else if kind != "" {
				fmt.Fprintf(os.Stderr, "%s: %s: fits\n", path, kind)
			}
		}
	}
	os.Exit(bad)
}

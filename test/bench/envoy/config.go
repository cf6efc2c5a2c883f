package main

import (
	"encoding/json"
	"fmt"
	"net"
	"strconv"
)

// doors is where the servers listen.
type doors struct {
	agentauth, empty string // host:port
	emptySocket      string // path
}

// bootstrap is Envoy's whole configuration: a listener for each variant, on the port of the same place in ports.
func bootstrap(variants []variant, ports []int, d doors) ([]byte, error) {
	filter, cluster, err := documented()
	if err != nil {
		return nil, err
	}
	var listeners, clusters []object
	for i, v := range variants {
		name := "http" // what the parts wait for
		if i > 0 {
			name = fmt.Sprintf("variant-%d", i)
		}
		filters := v.ownFilters(name, filter, d)
		listeners = append(listeners, listener(name, ports[i], filters, v.route))
		if v.server != nobody && !v.google {
			clusters = append(clusters, v.ownCluster(name, cluster, d))
		}
	}
	return json.Marshal(object{
		"admin":            object{"address": socketAddress("127.0.0.1:0")},
		"static_resources": object{"listeners": listeners, "clusters": clusters},
	})
}

// listener answers every request itself, once the filters have let it pass. It writes no access log.
func listener(name string, port int, filters []object, change func(object)) object {
	route := object{
		"match":           object{"prefix": "/"},
		"direct_response": object{"status": 200, "body": object{"inline_string": "ok"}},
	}
	if change != nil {
		change(route)
	}
	router := object{"name": "envoy.filters.http.router", "typed_config": object{
		"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}
	manager := object{
		"@type":               "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
		"stat_prefix":         name,
		"use_remote_address":  true,
		"strip_any_host_port": true,
		"http_filters":        append(filters, router),
		"route_config":        object{"virtual_hosts": []object{{"name": "all", "domains": []string{"*"}, "routes": []object{route}}}},
	}
	return object{
		"name":    name,
		"address": socketAddress(net.JoinHostPort("127.0.0.1", strconv.Itoa(port))),
		"filter_chains": []object{{"filters": []object{
			{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager},
		}}},
	}
}

// ownFilters is what the variant has before the router.
func (v *variant) ownFilters(name string, documented object, d doors) []object {
	if v.filters != nil {
		return v.filters()
	}
	filter := clone(documented)
	config := at(filter, "typed_config")
	at(config, "grpc_service", "envoy_grpc")["cluster_name"] = name
	if v.google {
		service := at(config, "grpc_service")
		delete(service, "envoy_grpc")
		service["google_grpc"] = object{"target_uri": d.empty, "stat_prefix": name}
	}
	if v.filter != nil {
		v.filter(config)
	}
	return []object{filter}
}

// ownCluster is the server that the variant's filter asks, over a connection of its own.
func (v *variant) ownCluster(name string, documented object, d doors) object {
	cluster := clone(documented)
	if v.cluster != nil {
		v.cluster(cluster)
	}
	cluster["name"] = name
	address := socketAddress(d.empty)
	switch {
	case v.server == agentauth:
		address = socketAddress(d.agentauth)
	case v.socket:
		address = object{"pipe": object{"path": d.emptySocket}}
	}
	cluster["load_assignment"] = object{
		"cluster_name": name,
		"endpoints":    []object{{"lb_endpoints": []object{{"endpoint": object{"address": address}}}}},
	}
	return cluster
}

func socketAddress(hostPort string) object {
	host, text, err := net.SplitHostPort(hostPort)
	if err != nil {
		panic(err) // it was listened on
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	return object{"socket_address": object{"address": host, "port_value": port}}
}

#include "cguest.h"
#include <arpa/inet.h>
#include <net/if.h>
#include <net/route.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static int change(unsigned long request, void *argument) {
    int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return errno;
    int error = ioctl(descriptor, request, argument) == 0 ? 0 : errno;
    close(descriptor);
    return error;
}

static struct ifreq link_named(const char *name) {
    struct ifreq request = {0};
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    return request;
}

static void put_address(struct sockaddr *where, const char *address) {
    struct sockaddr_in *internet = (struct sockaddr_in *)where;
    internet->sin_family = AF_INET;
    inet_pton(AF_INET, address, &internet->sin_addr);
}

int guest_has_link(const char *name) {
    struct ifreq request = link_named(name);
    return change(SIOCGIFFLAGS, &request) == 0;
}

int guest_link_up(const char *name) {
    struct ifreq request = link_named(name);
    int error = change(SIOCGIFFLAGS, &request);
    if (error) return error;
    request.ifr_flags |= IFF_UP | IFF_RUNNING;
    return change(SIOCSIFFLAGS, &request);
}

int guest_set_address(const char *name, const char *address, const char *mask) {
    struct ifreq request = link_named(name);
    put_address(&request.ifr_addr, address);
    int error = change(SIOCSIFADDR, &request);
    if (error) return error;
    put_address(&request.ifr_netmask, mask);
    return change(SIOCSIFNETMASK, &request);
}

int guest_add_default_route(const char *gateway) {
    struct rtentry route = {0};
    put_address(&route.rt_gateway, gateway);
    put_address(&route.rt_dst, "0.0.0.0");
    put_address(&route.rt_genmask, "0.0.0.0");
    route.rt_flags = RTF_UP | RTF_GATEWAY;
    int error = change(SIOCADDRT, &route);
    return error == EEXIST ? 0 : error;
}

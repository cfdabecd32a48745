/* SPDX-License-Identifier: MIT */
/*
 * Names of hosts in leaseherd-agent-static: by /etc/hosts and DNS, both inside the file.
 * /etc/nsswitch.conf may ask for more (mDNS, systemd-resolved), which is code the C library would
 * load from the host, made for another C library.
 */
#include <nss.h>

__attribute__((constructor)) static void names_by_files_and_dns(void)
{
    (void)__nss_configure_lookup("hosts",
                                 "files dns"); /* fails without memory only: then as configured */
}

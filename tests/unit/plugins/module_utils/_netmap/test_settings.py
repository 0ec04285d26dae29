# Copyright (c) 2026 the wirespeed.trafficgen developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of _netmap/settings: what the role's variables ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.wirespeed.trafficgen.plugins.module_utils._netmap import settings as asked_for
from ansible_collections.wirespeed.trafficgen.tests.unit.plugins.module_utils.made_up_netmap import KERNEL, settings


def test_default_options_download_nothing() -> None:
    options = asked_for.configure_options(settings(), KERNEL, Path("/k"))
    assert "--no-ext-drivers" in options and "--no-drivers=virtio_net.c" in options and "--kernel-dir=/k" in options


def test_only_the_external_driver_given_is_external() -> None:
    driver = {"name": "ixgbe", "version": "6.1.6", "url": "https://x/", "checksum": "sha256:" + "0" * 64}
    options = asked_for.configure_options(settings(external_drivers=[driver], drivers=["e1000"]), KERNEL, Path("/k"))
    assert "--drivers=e1000,ixgbe" in options
    assert "--no-ext-drivers=e1000e,i40e,ice,igb,ixgbevf,mlx5,virtio_net.c" in options
    assert "--select-version=ixgbe:6.1.6" in options
    assert asked_for.externals(settings(external_drivers=[driver]))[0]["place"] == "ixgbe/v6.1.6.zip"


def test_kernel_sources_follow_the_kernel() -> None:
    options = asked_for.configure_options(settings(kernel_sources="/src/{kernel}"), KERNEL, Path("/k"))
    assert f"--kernel-sources=/src/{KERNEL}" in options


def test_headers_of_the_kernel(host: Any) -> None:
    assert asked_for.headers_problem(host, settings(), KERNEL) == ""


def test_missing_headers_name_the_package(host: Any) -> None:
    assert "kernel-devel-5.14.0-1" in asked_for.headers_problem(host, settings(), "5.14.0-1")


def test_headers_of_another_kernel(host: Any) -> None:
    said = asked_for.headers_problem(host, settings(kernel_dir=f"/usr/src/kernels/{KERNEL}"), "5.14.0-1")
    assert KERNEL in said and "5.14.0-1" in said


def test_wrong_kernel_folder(host: Any) -> None:
    assert "is not a configured kernel folder" in asked_for.headers_problem(
        host, settings(kernel_dir="/usr/src"), KERNEL
    )


def test_all_installed_kernels(host: Any) -> None:
    host.path("/lib/modules/5.14.0-1/kernel").mkdir(parents=True)
    host.path("/lib/modules/5.14.0-0/extra").mkdir(parents=True)  # its kernel is gone
    assert asked_for.wanted_kernels(host, settings(kernels=["all_installed", "running"])) == [
        "5.14.0-1",
        KERNEL,
        "6.6.6-running",
    ]

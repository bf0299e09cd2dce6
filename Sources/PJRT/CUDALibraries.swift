import Foundation

/// NVIDIA's libraries as the wheels that the plugin names bring them: all in one folder with it,
/// `jax_plugins/xla_cuda13/xla_cuda_plugin.so` beside `nvidia/…`.
struct CUDALibraries {
  /// The folder `nvidia`.
  private let folder: String

  /// The libraries beside a plugin; nil where there are none, so that the system's are used.
  init?(plugin path: String) {
    var folder = URL(fileURLWithPath: path)
    for _ in 0..<3 { folder.deleteLastPathComponent() }
    self.folder = folder.appendingPathComponent("nvidia").path
    guard FileManager.default.fileExists(atPath: self.folder) else { return nil }
  }

  /// XLA's options for every program on a GPU, except those that the variable XLA_FLAGS sets.
  ///
  /// cuBLAS multiplies matrices. XLA times Triton's kernels one by one when it compiles a program,
  /// which takes minutes for a network that otherwise compiles in seconds.
  static func compilerOptions(
    plugin path: String, environment: [String: String] = ProcessInfo.processInfo.environment
  ) -> [String: CompileOptions.Override] {
    var options: [String: CompileOptions.Override] = [
      "xla_gpu_enable_triton_gemm": .bool(false)
    ]
    // The folder where the compiler finds NVIDIA's device code and assembler.
    if let libraries = CUDALibraries(plugin: path) {
      options["xla_gpu_cuda_data_dir"] = .string(libraries.folder + "/cu13")
    }
    let flags = environment["XLA_FLAGS"] ?? ""
    return options.filter { !flags.contains("--\($0.key)") }
  }

  /// What is opened by its name alone later, in an order in which each finds what it needs.
  private static let names = [
    "cu13/lib/libcudart.so.13", "cu13/lib/libnvrtc.so.13", "cu13/lib/libnvJitLink.so.13",
    "cu13/lib/libcublasLt.so.13", "cu13/lib/libcublas.so.13", "nccl/lib/libnccl.so.2",
    "cu13/lib/libcupti.so.13", "cu13/lib/libcusparse.so.12", "cu13/lib/libcusolver.so.12",
    "cu13/lib/libcufft.so.12", "nvshmem/lib/libnvshmem_host.so.3", "cudnn/lib/libcudnn.so.9",
  ]

  /// Loads the libraries, so that later look-ups by name find them; those that are missing are left
  /// to the plugin, which says what it lacks.
  func load() {
    for name in Self.names { _ = dlopen("\(folder)/\(name)", RTLD_NOW | RTLD_LOCAL) }
  }
}

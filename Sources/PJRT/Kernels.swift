import CKernels
import CPJRT
import Foundation
import Synchronization

extension Plugin {
  /// Registers this project's kernels with the plugin, once in a process.
  ///
  /// - Returns: the names of the kernels that programs for the CPU may call; none where the plugin
  ///   does not support custom kernels.
  func registerKernels() throws -> Set<String> {
    try registered.withLock { names in
      if let names { return names }
      let found = try registerAll()
      names = found
      return found
    }
  }

  private func registerAll() throws -> Set<String> {
    guard let register = kernelRegistration else { return [] }
    var names: Set<String> = []
    var kernel = CKernels_List()
    while let each = kernel, let name = each.pointee.name {
      var arguments = PJRT_FFI_Register_Args()
      arguments.struct_size = MemoryLayout<PJRT_FFI_Register_Args>.offset(of: \.traits)! + 4
      (arguments.name, arguments.name_size) = (name, strlen(name))
      arguments.handler = each.pointee.handler
      let error = "Host".withCString { platform in
        (arguments.platform, arguments.platform_size) = (platform, 4)
        return register(&arguments)
      }
      if let error { throw api.take(error, "registering a kernel") }
      names.insert(String(cString: name))
      kernel = each + 1
    }
    return names
  }

  private typealias Registration =
    @convention(c) (
      UnsafeMutablePointer<PJRT_FFI_Register_Args>?
    ) -> OpaquePointer?

  private var kernelRegistration: Registration? {
    var next = api.table.pointee.extensions
    while let each = next {
      if each.pointee.type == Int32(PJRT_EXTENSION_FFI),
        each.pointee.struct_size >= MemoryLayout<PJRT_FFI_Extension>.size
      {
        return UnsafeRawPointer(each).assumingMemoryBound(to: PJRT_FFI_Extension.self)
          .pointee.register_handler
      }
      next = each.pointee.next
    }
    return nil
  }
}

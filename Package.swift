// swift-tools-version: 6.1
import PackageDescription

let package = Package(
  name: "twinflow",
  products: [
    .executable(name: "twinflow", targets: ["twinflow"]),
    .library(name: "TwinFlow", targets: ["Flow", "Models", "Training", "Evaluation"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
  ],
  targets: [
    // Libraries of the system, and what C alone can say.
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CCairo", pkgConfig: "cairo", providers: [.apt(["libcairo2-dev"])]),
    .systemLibrary(name: "CXXHash", pkgConfig: "libxxhash", providers: [.apt(["libxxhash-dev"])]),
    .target(name: "CPNG", linkerSettings: [.linkedLibrary("png")]),
    .target(name: "CPJRT"),

    // The engine.
    .target(name: "PJRT", dependencies: ["CPJRT", "CXXHash"]),
    .target(name: "Tensors", dependencies: ["PJRT"]),

    // Networks and how they are trained.
    .target(name: "Layers", dependencies: ["Tensors"]),
    .target(name: "Optimizers", dependencies: ["Tensors"]),
    .target(name: "Weights", dependencies: ["Tensors"]),
    .target(name: "Flow", dependencies: ["Tensors"]),
    .target(name: "Models", dependencies: ["Layers", "Flow"]),

    // Data in, pictures and figures out.
    .target(name: "Datasets", dependencies: ["CZlib"]),
    .target(name: "Pictures", dependencies: ["CCairo", "CPNG"]),
    .target(
      name: "Training",
      dependencies: [
        "Models", "Optimizers", "Weights", "Datasets", "Pictures", "Yams",
        .product(name: "Logging", package: "swift-log"),
      ]),
    .target(name: "Evaluation", dependencies: ["Training"]),
    .executableTarget(
      name: "twinflow",
      dependencies: [
        "Evaluation", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
    .testTarget(name: "TrainingTests", dependencies: ["Training"]),
  ]
)

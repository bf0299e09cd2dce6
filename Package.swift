// swift-tools-version: 6.1
import PackageDescription

let package = Package(
  name: "twinflow",
  products: [
    .executable(name: "twinflow", targets: ["twinflow"]),
    .library(name: "TwinFlow", targets: ["Flow", "Models", "Pipelines", "Training", "Evaluation"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.14.0"),
    .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
    // Its configuration from files and variables is not used.
    .package(
      url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
  ],
  targets: [
    // Libraries of the system, and what C alone can say.
    .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CCairo", pkgConfig: "cairo", providers: [.apt(["libcairo2-dev"])]),
    .systemLibrary(name: "CXXHash", pkgConfig: "libxxhash", providers: [.apt(["libxxhash-dev"])]),
    .systemLibrary(name: "CLAPACKE", providers: [.apt(["liblapacke-dev"])]),
    .systemLibrary(name: "CHiredis", providers: [.apt(["libhiredis-dev"])]),
    .systemLibrary(name: "CWebP", pkgConfig: "libwebp", providers: [.apt(["libwebp-dev"])]),
    .systemLibrary(
      name: "CArchive", pkgConfig: "libarchive", providers: [.apt(["libarchive-dev"])]),
    .target(name: "CJPEG", linkerSettings: [.linkedLibrary("jpeg")]),
    .target(name: "CPNG", linkerSettings: [.linkedLibrary("png")]),
    .target(
      name: "CAllocator",
      linkerSettings: [.linkedLibrary("jemalloc", .when(platforms: [.linux]))]),
    .target(name: "CFiles"),
    .target(name: "CONNXRuntime"),
    .target(name: "CPJRT"),
    .target(name: "CPOSIX"),
    .target(name: "CQuantization"),
    .target(name: "CKernels", dependencies: ["CPJRT"]),

    .target(name: "Files", dependencies: ["CFiles", "CXXHash"]),

    // The engine.
    .target(name: "PJRT", dependencies: ["CAllocator", "CPJRT", "CKernels"]),
    .target(name: "Tensors", dependencies: ["PJRT"]),

    .target(name: "Processes", dependencies: ["PJRT", "Files", "CHiredis", "CPOSIX"]),
    .target(name: "Runtime", dependencies: ["Files", "PJRT", "Tensors", "Processes"]),

    // Networks and how they are trained.
    .target(name: "Recipe", dependencies: ["Files", "Yams"]),
    .target(name: "Layers", dependencies: ["Tensors"]),
    .target(name: "Optimizers", dependencies: ["Tensors"]),
    .target(
      name: "Weights",
      dependencies: [
        "CArchive", "CQuantization", "Files", "PJRT", "Tensors", "Runtime", "Layers",
      ]),
    .target(name: "Flow", dependencies: ["Tensors", "Recipe"]),
    .target(name: "Tokenizers", dependencies: ["Files"]),
    // Networks that others have exported.
    .target(name: "ONNXRuntime", dependencies: ["CONNXRuntime"]),
    .target(
      name: "Models", dependencies: ["Files", "Tensors", "Recipe", "Layers", "Weights", "Flow"]),

    // What generation needs: neither optimizers nor data sets.
    .target(
      name: "Pictures", dependencies: ["CArchive", "CCairo", "CJPEG", "CPNG", "CWebP", "Files"]),
    .target(
      name: "Pipelines",
      dependencies: [
        "Files", "PJRT", "ONNXRuntime", "Tensors", "Runtime", "Recipe", "Layers", "Weights", "Flow",
        "Tokenizers", "Models", "Pictures",
      ]),

    // Data in, figures out.
    .target(
      name: "Datasets",
      dependencies: ["CArchive", "CZlib", "Files", "Tensors", "Recipe", "Pictures"]),
    .target(
      name: "Training",
      dependencies: [
        "Files", "PJRT", "Tensors", "Processes", "Runtime", "Recipe", "Layers", "Optimizers",
        "Weights", "Flow", "Models", "Pictures", "Pipelines", "Datasets",
      ]),
    .target(
      name: "Evaluation",
      dependencies: [
        "CLAPACKE", "Files", "PJRT", "Tensors", "Runtime", "Layers", "Weights", "Flow", "Models",
        "Pictures", "Pipelines", "Datasets",
      ]),
    // Cases that published code has computed.
    .target(
      name: "Golden",
      dependencies: [
        "Tensors", "Runtime", "Recipe", "Layers", "Optimizers", "Weights", "Flow", "Tokenizers",
        "Models", "Pictures", "Pipelines", "Evaluation",
      ]),
    .target(
      name: "Comparison",
      dependencies: [
        "Files", "Tensors", "Runtime", "Recipe", "Weights", "Flow", "Models", "Pictures",
        "Pipelines", "Datasets", "Training", "Evaluation",
      ]),
    .target(
      name: "Serving",
      dependencies: [
        "Files", "PJRT", "Tensors", "Runtime", "Weights", "Flow", "Models", "Pictures", "Pipelines",
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
      ],
      resources: [.embedInCode("Page/page.html")]),
    .executableTarget(
      name: "twinflow",
      dependencies: [
        "CPOSIX", "Files", "Tensors", "Processes", "Runtime", "Recipe", "Layers", "Weights",
        "Flow",
        "Models", "Pipelines", "Golden", "Datasets", "Pictures", "Training", "Evaluation",
        "Comparison", "Serving",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
      ]),
    .executableTarget(
      name: "twinflow-bench",
      dependencies: [
        "Tensors", "Runtime", "Recipe", "Layers", "Weights", "Flow", "Models", "Pictures",
        "Pipelines", "Training", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Benchmarks/Steps"),

    // What tests share, and the tests.
    .target(
      name: "TestSupport",
      dependencies: [
        "PJRT", "Tensors", "Runtime", "Layers", "Weights", "Models", "Pictures", "Datasets",
      ],
      path: "Tests/Support"),
    .target(
      name: "TestModels",
      dependencies: ["Tensors", "Runtime", "Weights", "Models", "Pipelines", "TestSupport"],
      path: "Tests/SupportModels"),
    .testTarget(name: "PJRTTests", dependencies: ["CPJRT", "PJRT", "TestSupport"]),
    .testTarget(name: "ONNXRuntimeTests", dependencies: ["ONNXRuntime", "TestSupport"]),
    .testTarget(name: "RuntimeTests", dependencies: ["PJRT", "Tensors", "Runtime", "TestSupport"]),
    .testTarget(name: "ProcessesTests", dependencies: ["PJRT", "Processes"]),
    .testTarget(name: "FilesTests", dependencies: ["CFiles", "Files"]),
    .testTarget(
      name: "WeightsTests",
      dependencies: ["Files", "PJRT", "Tensors", "Runtime", "Layers", "Weights", "TestSupport"]),
    .testTarget(
      name: "DatasetsTests",
      dependencies: ["CZlib", "Files", "Tensors", "Pictures", "Datasets", "TestSupport"]),
    .testTarget(name: "PicturesTests", dependencies: ["CZlib", "Files", "Pictures"]),
    .testTarget(name: "TensorsTests", dependencies: ["Tensors", "Runtime", "TestSupport"]),
    .testTarget(name: "LayersTests", dependencies: ["Tensors", "Layers", "TestSupport"]),
    .testTarget(name: "OptimizersTests", dependencies: ["Tensors", "Optimizers", "TestSupport"]),
    .testTarget(
      name: "PipelinesTests",
      dependencies: [
        "Files", "Tensors", "Runtime", "Layers", "Weights", "Flow", "Models", "Pictures",
        "Pipelines", "TestModels", "TestSupport",
      ]),
    .testTarget(
      name: "TrainingTests",
      dependencies: [
        "Files", "PJRT", "Tensors", "Runtime", "Recipe", "Weights", "Flow", "Models", "Pictures",
        "Pipelines", "Datasets", "Training", "TestSupport",
      ]),
    .testTarget(
      name: "EvaluationTests",
      dependencies: [
        "Files", "Tensors", "Runtime", "Weights", "Models", "Pictures", "Pipelines", "Datasets",
        "Evaluation", "TestModels", "TestSupport",
      ]),
    .testTarget(
      name: "ComparisonTests",
      dependencies: [
        "Runtime", "Recipe", "Weights", "Pipelines", "Datasets", "Training", "Evaluation",
        "Comparison", "TestSupport",
      ]),
    .testTarget(
      name: "ServingTests",
      dependencies: [
        "Files", "PJRT", "Tensors", "Runtime", "Weights", "Flow", "Models", "Pictures", "Pipelines",
        "Serving",
        "TestModels",
        "TestSupport", .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOEmbedded", package: "swift-nio"),
      ],
      // By Python: clients, and the page in a browser.
      exclude: ["Clients", "Page"]),
    .testTarget(
      name: "CommandTests",
      dependencies: [
        "twinflow", "Recipe", "Pictures", "Training", "Evaluation", "Comparison", "TestSupport",
      ]),
    .testTarget(name: "GoldenTests", dependencies: ["PJRT", "Golden", "TestSupport"]),
    .testTarget(name: "TokenizersTests", dependencies: ["Tokenizers"]),
    .testTarget(name: "RecipeTests", dependencies: ["Files", "Recipe"]),
    .testTarget(
      name: "FlowTests", dependencies: ["Tensors", "Recipe", "Layers", "Flow", "TestSupport"]),
    .testTarget(
      name: "ModelsTests",
      dependencies: [
        "Tensors", "Runtime", "Recipe", "Layers", "Weights", "Flow", "Models", "TestSupport",
      ]),
  ]
)
